import type { PrefillPrecision, SamplingOptions } from '../../protocol';
import type {
  KvStoreLimits,
  LoadedModel,
  LoadProgress,
  LoadRequest,
  OpenSequenceRequest,
  StoringBackend,
} from '../backends/backend';
import { LongviewError, messageOf } from '../errors';
import type { BackendProvider } from './backend-provider';
import type { EngineSettings, TokenText } from './generation';
import { PrefillPace } from './prefill-schedule';
import { ComputeCost } from './prefix-cache/compute-cost';
import type { PlannedPrompt } from './prefix-cache/held-prompts';
import { type OpenedSequence, PrefixCache, type WantedPrompt } from './prefix-cache/prefix-cache';
import { StoredPrefixes } from './prefix-cache/stored-prefix';
import type { Sequence } from './sequence';

/** What every load has in common on this machine. */
export interface LoadDefaults {
  cacheDir: string;
  cpuThreads: number;
  gpu?: number;
  /** What may be kept of KV beside the device; absent: nothing. */
  kvStore?: KvStoreLimits;
  prefillPrecision?: PrefillPrecision;
}

interface Loaded {
  backend: StoringBackend;
  key: string;
  model: LoadedModel;
  pace: PrefillPace;
  cost: ComputeCost;
  cache: PrefixCache;
}

/**
 * The one model on the device and the prompts kept there. They outlive their generations, so that the next prompt
 * computes only what differs; they never outlive the load they were made under.
 */
export class ResidentModel {
  private loaded: Loaded | undefined;
  private acquired: StoringBackend | undefined;

  constructor(
    private readonly backends: BackendProvider,
    private readonly defaults: LoadDefaults,
    private readonly log: (line: string) => void,
    /** Milliseconds of a steady clock. */
    private readonly now: () => number,
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
    this.loaded = undefined;
    const model = await backend.load(request, onProgress);
    const cost = new ComputeCost();
    const cache = new PrefixCache(backend, model, this.storedFor(backend, request, model, cost));
    this.loaded = { backend, key, model, pace: new PrefillPace(), cost, cache };
    return model;
  }

  /** False when the device ended, or could not be started: its provider tells what follows. */
  get hasDevice(): boolean {
    return this.acquired !== undefined && this.backends.isAlive(this.acquired);
  }

  /** Tokens of the prompts that are kept under `settings`. */
  heldTokens(settings: EngineSettings): Int32Array[] {
    return this.holds(settings) ? (this.loaded?.cache.heldTokens ?? []) : [];
  }

  /** True when all of `prompt` is held already. */
  covers(prompt: PlannedPrompt): boolean {
    return this.loaded?.cache.covers(prompt) ?? false;
  }

  /**
   * A sequence that holds what could be reused of `prompt`. The caller runs on it and calls `drop` when a call on it
   * failed.
   */
  async sequenceFor(
    prompt: WantedPrompt,
    sampling: SamplingOptions,
    text: Pick<TokenText, 'firstUnusedToken'>,
    signal: AbortSignal,
  ): Promise<Residence> {
    if (!this.loaded) throw new Error('a sequence was asked for before a model was loaded');
    const { backend, model, pace, cost, cache } = this.loaded;
    const start: OpenSequenceRequest = { sampling, firstUnusedToken: text.firstUnusedToken };
    return { backend, model, pace, cost, ...(await cache.open(prompt, start, signal)) };
  }

  /** Keeps a prompt that is held beside the device. @throws CancelledError between two blocks */
  async store(prompt: PlannedPrompt, signal: AbortSignal): Promise<void> {
    await this.loaded?.cache.store(prompt, signal);
  }

  /** Forgets every prompt, on the device and beside it; returns how many bytes were on disk. */
  async purge(): Promise<number> {
    await this.loaded?.cache.dropAll();
    const backend = await this.backends.acquire();
    return backend.purgeKv(this.defaults.cacheDir);
  }

  /** After a failed call: what the device holds for the sequence is unknown, so it is let go. */
  async drop(sequence: Sequence | undefined, error: unknown): Promise<void> {
    const { loaded } = this;
    if (!this.hasDevice) this.loaded = undefined;
    if (!this.hasDevice || !loaded) return;
    try {
      // Without a sequence, the call that failed was one that prepares it: none of them is to be trusted.
      if (sequence) await loaded.cache.drop(sequence);
      else await loaded.cache.dropAll();
    } catch (closing) {
      // A device that cannot even let go of a sequence is not to be trusted with the next prompt.
      this.loaded = undefined;
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
    this.loaded = undefined;
    this.acquired = undefined;
    await this.backends.release();
  }

  private storedFor(backend: StoringBackend, request: LoadRequest, model: LoadedModel, cost: ComputeCost) {
    if (!request.kvStore) return undefined;
    const { now, log } = this;
    const { kvBlockTokens: blockTokens } = model;
    return new StoredPrefixes(backend, { loadKey: storeKey(request, model), blockTokens, cost, now, log });
  }

  private requestFor(settings: EngineSettings): LoadRequest {
    const { modelPath, modelSha256, device, attention, contextTokens, yarnFactor } = settings;
    const extension = yarnFactor === undefined ? {} : { yarnFactor };
    return { modelPath, modelSha256, device, attention, contextTokens, ...extension, ...this.defaults };
  }
}

/** A loaded model with a sequence to run on. */
export interface Residence extends OpenedSequence {
  backend: StoringBackend;
  model: LoadedModel;
  pace: PrefillPace;
  /** Told of what is computed. */
  cost: ComputeCost;
}

/** Everything that a load decides: the weights by their hash, not by their path. Attention is of each prompt. */
function keyOf(request: LoadRequest): string {
  const { modelSha256, device, contextTokens, yarnFactor, cpuThreads, matmulAccuracy, prefillPrecision } =
    request;
  return JSON.stringify([
    modelSha256,
    device,
    contextTokens,
    yarnFactor,
    cpuThreads,
    matmulAccuracy,
    prefillPrecision,
  ]);
}

/** Raised whenever the same model makes other KV of the same tokens. */
const KV_VERSION = 1;

/** What KV that outlives a load depends on, attention and tokens apart: the device computes in its own way, too. */
function storeKey(request: LoadRequest, { backend, device }: LoadedModel): string {
  const { modelSha256, contextTokens, yarnFactor, matmulAccuracy, prefillPrecision } = request;
  return JSON.stringify([
    KV_VERSION,
    modelSha256,
    backend,
    device,
    contextTokens,
    yarnFactor,
    matmulAccuracy,
    prefillPrecision,
  ]);
}
