import type { SamplingOptions } from '../../protocol';
import type {
  Backend,
  LoadedModel,
  LoadProgress,
  LoadRequest,
  OpenSequenceRequest,
} from '../backends/backend';
import { LongviewError, messageOf } from '../errors';
import {
  type AttentionPlan,
  attentionKey,
  reusableTokens,
  SELECTION_GRID_TOKENS,
  sparseTokensOf,
} from './attention-plan';
import type { BackendProvider } from './backend-provider';
import type { EngineSettings, TokenText } from './generation';
import { PrefillPace } from './prefill-schedule';
import { Sequence } from './sequence';

/** What every load has in common on this machine. */
export interface LoadDefaults {
  cacheDir: string;
  cpuThreads: number;
  gpu?: number;
}

/**
 * The one model on the device and the one sequence kept on it. The sequence outlives its generation, so that
 * the next prompt computes only what differs; it never outlives the load it was made under.
 */
export class ResidentModel {
  private loaded: { backend: Backend; key: string; model: LoadedModel; pace: PrefillPace } | undefined;
  private kept: KeptSequence | undefined;
  private acquired: Backend | undefined;

  constructor(
    private readonly backends: BackendProvider,
    private readonly defaults: LoadDefaults,
  ) {}

  /** True when `settings` are loaded and the device lives. */
  holds(settings: EngineSettings): boolean {
    return this.hasDevice && this.loaded?.key === keyOf(this.requestFor(settings));
  }

  /** Makes sure that `settings` are what is loaded. */
  async ensure(settings: EngineSettings, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    this.acquired = undefined;
    const backend = await this.backends.acquire();
    this.acquired = backend;
    const request = this.requestFor(settings);
    const key = keyOf(request);
    if (this.loaded?.backend === backend && this.loaded.key === key) return this.loaded.model;
    this.forget();
    const model = await backend.load(request, onProgress);
    this.loaded = { backend, key, model, pace: new PrefillPace() };
    return model;
  }

  /** False when the device ended, or could not be started: its provider tells what follows. */
  get hasDevice(): boolean {
    return this.acquired !== undefined && this.backends.isAlive(this.acquired);
  }

  /**
   * The kept sequence rewound to what it shares with `prompt`, or a fresh one: its length is the prefix hit.
   * The caller runs on it and calls `drop` when a call on it failed.
   */
  async sequenceFor(
    prompt: Int32Array,
    attention: AttentionPlan,
    sampling: SamplingOptions,
    text: TokenText,
  ): Promise<Residence> {
    if (!this.loaded) throw new Error('a sequence was asked for before a model was loaded');
    const { backend, model, pace } = this.loaded;
    const start: OpenSequenceRequest = { sampling, firstUnusedToken: text.firstUnusedToken };
    const sparseTokens = sparseTokensOf(attention, prompt.length);
    if (!this.kept) {
      const sequence = new Sequence(await backend.openSequence(start), model.contextTokens);
      this.kept = { sequence, attention, sparseTokens };
      return { backend, model, pace, sequence, tokensReadAnew: 0 };
    }
    const { sequence } = this.kept;
    const { hitTokens, tokensReadAnew } = prefixHit(this.kept, prompt, attention);
    await backend.rewindSequence({ ...start, sequence: sequence.id, lengthTokens: hitTokens });
    sequence.rewind(hitTokens);
    this.kept = { sequence, attention, sparseTokens };
    return { backend, model, pace, sequence, tokensReadAnew };
  }

  /** After a failed call: what the device holds for the sequence is unknown, so it is let go. */
  async drop(error: unknown): Promise<void> {
    const { loaded, kept } = this;
    this.kept = undefined;
    if (!this.hasDevice) this.forget();
    if (!this.hasDevice || !loaded || !kept) return;
    try {
      await loaded.backend.closeSequence(kept.sequence.id);
    } catch (closing) {
      // A device that cannot even let go of a sequence is not to be trusted with the next prompt.
      this.forget();
      throw new LongviewError(
        'engineFailed',
        `The engine could not free a sequence: ${messageOf(closing)}`,
        'Ask again; the model is loaded anew.',
        undefined,
        { cause: error },
      );
    }
  }

  /** Lets go of the device with all that is on it; the next load starts anew. */
  async release(): Promise<void> {
    this.forget();
    this.acquired = undefined;
    await this.backends.release();
  }

  private forget(): void {
    this.loaded = undefined;
    this.kept = undefined;
  }

  private requestFor(settings: EngineSettings): LoadRequest {
    const { modelPath, modelSha256, device, attention, contextTokens, yarnFactor } = settings;
    const extension = yarnFactor === undefined ? {} : { yarnFactor };
    return { modelPath, modelSha256, device, attention, contextTokens, ...extension, ...this.defaults };
  }
}

/** The sequence on the device, how its prompt was read, and how many of its leading tokens ran sparse. */
interface KeptSequence {
  sequence: Sequence;
  attention: AttentionPlan;
  sparseTokens: number;
}

/** What of `prompt` the kept sequence holds as `attention` would make it. */
function prefixHit(kept: KeptSequence, prompt: Int32Array, attention: AttentionPlan) {
  const sharedTokens = kept.sequence.sharedWith(prompt);
  const hitTokens = reusableTokens(attention, {
    sharedTokens,
    keptSparseTokens: kept.sparseTokens,
    promptTokens: prompt.length,
  });
  if (attentionKey(attention) === attentionKey(kept.attention)) return { hitTokens, tokensReadAnew: 0 };
  // What every prompt begins with is no loss worth telling.
  return { hitTokens: 0, tokensReadAnew: sharedTokens < SELECTION_GRID_TOKENS ? 0 : sharedTokens };
}

/** A loaded model with a sequence to run on. */
export interface Residence {
  backend: Backend;
  model: LoadedModel;
  pace: PrefillPace;
  sequence: Sequence;
  /** Tokens whose KV is here, but made with another attention: they are not reused. */
  tokensReadAnew: number;
}

/** Everything that a load decides: the weights by their hash, not by their path. Attention is of each prompt. */
function keyOf(request: LoadRequest): string {
  const { modelSha256, device, contextTokens, yarnFactor, cpuThreads, matmulAccuracy } = request;
  return JSON.stringify([modelSha256, device, contextTokens, yarnFactor, cpuThreads, matmulAccuracy]);
}
