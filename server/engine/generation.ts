import type { DeviceChoice, KernelsMs, SamplingOptions, StopReason } from '../../protocol';
import type { BlockCounts, LoadedModel, LoadProgress } from '../backends/backend';
import type { StreamDecoder, TokenId } from '../tokenizer/tokenizer';
import type { AttentionPlan } from './attention-plan';
import type { AttentionWish } from './attention-policy';
import type { CacheReport } from './prefix-cache/cache-report';
import type { TtftClock } from './ttft-clock';

/** The model and the settings that a generation needs; KV made under others is never reused. */
export interface EngineSettings extends AttentionWish {
  /** Name for people. */
  modelName: string;
  modelPath: string;
  modelSha256: string;
  device: DeviceChoice;
  contextTokens: number;
  /** As in `LoadRequest`. */
  yarnFactor?: number;
}

/** What the engine needs to know of a vocabulary. A `Tokenizer` is one. */
export interface TokenText {
  readonly endTokens: readonly TokenId[];
  readonly firstUnusedToken: TokenId;
  streamDecoder(): StreamDecoder;
}

export interface Prompt {
  /** Names it for whoever asks, in what the engine says of its cache. */
  id: number;
  /** The exact prompt. */
  tokenIds: Int32Array;
}

export interface GenerationRequest {
  /** Known once the model file is found; the question keeps its place in the queue meanwhile. */
  settings: Promise<EngineSettings>;
  /** May still be in the making while the model loads. */
  prompt: Promise<Prompt>;
  text: Promise<TokenText>;
  sampling: SamplingOptions;
  maxAnswerTokens: number;
  /** Started when the question arrived. */
  clock: TtftClock;
}

/** A prompt to compute before anybody asks. */
export interface WarmRequest {
  settings: EngineSettings;
  /** The beginning that all questions have in common. */
  prompt: Prompt;
  /** Resolves when the machine has time for the next chunk, at the latest when the signal is aborted. */
  breathe: (signal: AbortSignal) => Promise<void>;
}

export type GenerationEvent =
  | { kind: 'queued'; ahead: number }
  | ({ kind: 'load' } & LoadProgress)
  /** `processed` counts the cached tokens too: it runs from `cached` to `total`. */
  | { kind: 'prefill'; total: number; cached: number; processed: number; ms: number; etaMs: number }
  | { kind: 'token'; text: string };

export interface GenerationResult {
  answer: string;
  stopReason: StopReason;
  promptTokens: number;
  cache: CacheReport;
  answerTokens: number;
  model: LoadedModel;
  attention: AttentionPlan;
  /** Under `sample`: of the chunks that were computed. */
  blocks?: BlockCounts;
  /** Of the prefill, where the device tells. */
  kernelsMs?: KernelsMs;
}
