import type { DeviceChoice, SamplingOptions, StopReason } from '../../protocol';
import type { BlockCounts, LoadedModel, LoadProgress } from '../backends/backend';
import type { StreamDecoder, TokenId } from '../tokenizer/tokenizer';
import type { AttentionPlan } from './attention-plan';
import type { AttentionWish } from './attention-policy';
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

export interface GenerationRequest {
  /** Known once the model file is found; the question keeps its place in the queue meanwhile. */
  settings: Promise<EngineSettings>;
  /** Exact prompt; may still be in the making while the model loads. */
  prompt: Promise<Int32Array>;
  text: Promise<TokenText>;
  sampling: SamplingOptions;
  maxAnswerTokens: number;
  /** Started when the question arrived. */
  clock: TtftClock;
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
  cachedTokens: number;
  answerTokens: number;
  /** Tokens of the prompt whose KV was here, but made with another attention. */
  tokensReadAnew: number;
  model: LoadedModel;
  attention: AttentionPlan;
  /** Under `sample`: of the chunks that were computed. */
  blocks?: BlockCounts;
}
