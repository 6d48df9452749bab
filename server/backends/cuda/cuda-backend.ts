import { randomInt } from 'node:crypto';
import type { PrefillPrecision } from '../../../protocol';
import { LongviewError } from '../../errors';
import type { ModelSpec } from '../../models/model-spec';
import { openModel } from '../../models/open-model';
import { type SpecForLoad, specForLoad } from '../../models/spec-for-load';
import type {
  DecodeStepRequest,
  DeviceBackend,
  ExportKvRequest,
  ImportKvRequest,
  LoadedModel,
  LoadProgress,
  LoadRequest,
  OpenSequenceRequest,
  PooledKeys,
  PrefillChunkRequest,
  RewindRequest,
  SequenceId,
  StepResult,
} from '../backend';
import type { CudaAddon, CudaDevice, CudaEngine, CudaMemoryPlan, CudaSampling } from './addon';
import { type FailureContext, isFatal, translateFailure } from './cuda-failures';
import { tensorsOf } from './tensors';

/** Sequences share one pool of KV blocks, which holds one whole context and, where there is memory, some more. */
const MAX_SEQUENCES = 8;

/** Fills the GPU, and is about a quarter of a second of a large one at a depth of 128K tokens. Whole query tiles. */
const CHUNK_TOKENS = 8192;

/** Where contexts are long, so are chunks: sparse attention deals more tiles out then, and reads weights less often. */
const LONG_CHUNK_TOKENS = 16_384;
const LONG_CONTEXT_TOKENS = 65_536;

/** The host enqueues a layer when the one two before it is done, and tells of it then. */
const LAYERS_AHEAD = 2;

/** Ada and newer. */
const FP8_CAPABILITY = 8.9;

/** What the quality classes of the engine's policy average, at the least. */
const POOLED_KEYS = 4;

export interface CudaBackendDependencies {
  addon: CudaAddon;
  device: CudaDevice;
  /** Seeds sequences whose sampling options name no seed. */
  freshSeed: () => number;
  /** Fewest keys that a selection averages; default: what the product's quality classes need. */
  pooledKeys?: PooledKeys;
  /** Ends the process: after a fault on the GPU nothing else frees it. */
  endProcess: (reason: string) => void;
}

export function createCudaBackend(addon: CudaAddon, device: CudaDevice): DeviceBackend {
  return new CudaBackend({
    addon,
    device,
    freshSeed: () => randomInt(2 ** 32),
    endProcess: (reason) => {
      process.stderr.write(`${reason}\n`);
      process.exit(70);
    },
  });
}

interface Model {
  spec: ModelSpec;
  path: string;
}

/** An NVIDIA GPU by our own kernels, straight from GGUF weights. */
export class CudaBackend implements DeviceBackend {
  private readonly engine: CudaEngine;
  private model: Model | undefined;
  private readonly sequences = new Set<SequenceId>();

  constructor(private readonly dependencies: CudaBackendDependencies) {
    this.engine = new dependencies.addon.Engine(dependencies.device.index);
  }

  async load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    await this.dispose();
    checkPrecision(request, this.dependencies.device);
    const gguf = await openModel(request.modelPath);
    try {
      const prepared = await specForLoad(gguf, request);
      const { spec } = prepared;
      onProgress({ stage: 'load', fraction: 0 });
      this.model = { spec, path: request.modelPath };
      const plan = await this.run(() =>
        this.engine.load(
          {
            paths: gguf.files,
            spec,
            tensors: tensorsOf(gguf),
            contextTokens: request.contextTokens,
            chunkTokens: chunkTokensFor(request),
            pooledKeys: this.dependencies.pooledKeys ?? POOLED_KEYS,
            prefillPrecision: precisionOf(request),
          },
          (fraction) => onProgress({ stage: 'load', fraction }),
        ),
      );
      onProgress({ stage: 'load', fraction: 1 });
      return this.describe(prepared, request, plan);
    } catch (error) {
      this.model = undefined;
      throw error;
    } finally {
      await gguf.close();
    }
  }

  async openSequence(request: OpenSequenceRequest): Promise<SequenceId> {
    return this.add(() => this.engine.openSequence(this.samplingOf(request)));
  }

  async forkSequence(request: RewindRequest): Promise<SequenceId> {
    const { sequence, lengthTokens } = request;
    return this.add(() => this.engine.fork(sequence, lengthTokens, this.samplingOf(request)));
  }

  exportKv({ sequence, startToken, tokens }: ExportKvRequest): Promise<Uint8Array> {
    return this.run(() => this.engine.exportKv(sequence, startToken, tokens));
  }

  importKv({ sequence, tokens, kv }: ImportKvRequest): Promise<void> {
    return this.run(() => this.engine.importKv(sequence, tokens, kv));
  }

  prefillChunk(
    { sequence, tokens, sparse, sample }: PrefillChunkRequest,
    onShare?: (share: number) => void,
  ): Promise<StepResult> {
    const layerCount = this.model?.spec.layerCount ?? 1;
    const onLayer = onShare && ((begun: number) => onShare(Math.max(0, begun - LAYERS_AHEAD) / layerCount));
    return this.run(() => this.engine.prefill(sequence, tokens, sample, onLayer, sparse));
  }

  interrupt(): Promise<void> {
    this.engine.cancel();
    return Promise.resolve();
  }

  decodeStep({ sequence, token, continues = false }: DecodeStepRequest): Promise<StepResult> {
    return this.run(() => this.engine.decode(sequence, token, continues));
  }

  rewindSequence(request: RewindRequest): Promise<void> {
    const { sequence, lengthTokens } = request;
    return this.run(() => this.engine.rewind(sequence, lengthTokens, this.samplingOf(request)));
  }

  async closeSequence(sequence: SequenceId): Promise<void> {
    await this.run(() => this.engine.closeSequence(sequence));
    this.sequences.delete(sequence);
  }

  async dispose(): Promise<void> {
    this.model = undefined;
    this.sequences.clear();
    await this.engine.dispose();
  }

  private async add(open: () => Promise<SequenceId>): Promise<SequenceId> {
    if (this.sequences.size >= MAX_SEQUENCES) {
      throw new LongviewError(
        'engineFailed',
        `The CUDA engine holds ${MAX_SEQUENCES} sequences already.`,
        'Close another conversation, then ask again.',
      );
    }
    const id = await this.run(open);
    this.sequences.add(id);
    return id;
  }

  private async run<T>(call: () => Promise<T>): Promise<T> {
    if (!this.model) {
      throw new LongviewError('engineFailed', 'No model is loaded.', 'Load a model, then ask again.');
    }
    try {
      return await call();
    } catch (error) {
      const failure = translateFailure(error, this.failureContext(this.model));
      if (isFatal(error)) this.dependencies.endProcess(`The GPU failed: ${failure.message}`);
      throw failure;
    }
  }

  private failureContext({ spec, path }: Model): FailureContext {
    return { modelPath: path, modelName: spec.name, device: this.dependencies.device.name };
  }

  private samplingOf({ sampling, firstUnusedToken }: OpenSequenceRequest): CudaSampling {
    const { temperature, topP, topK, seed = this.dependencies.freshSeed() } = sampling;
    return { temperature, topP, topK, seed, candidates: firstUnusedToken };
  }

  private describe(
    { spec, notices }: SpecForLoad,
    request: LoadRequest,
    { weights, description, poolTokens, kvBlockTokens }: CudaMemoryPlan,
  ): LoadedModel {
    const { contextTokens } = request;
    const prefillPrecision = precisionOf(request);
    // In fp8, prefill multiplies by copies that are the same whatever the weights are kept as.
    const isSlowed = weights === 'stored' && prefillPrecision === 'bf16';
    return {
      backend: 'cuda',
      device: this.dependencies.device.name,
      spec: { name: spec.name, layerCount: spec.layerCount, headCount: spec.headCount },
      contextTokens,
      vocabSize: spec.vocabSize,
      maxSequences: MAX_SEQUENCES,
      prefillChunkTokens: chunkTokensFor(request),
      // A question ends a chunk under way between two layers.
      backgroundChunkTokens: chunkTokensFor(request),
      kvPoolTokens: poolTokens,
      kvBlockTokens,
      prefillPrecision,
      notices: [
        ...notices,
        ...(isSlowed
          ? [`GPU memory is short: the weights stay quantised, which slows prefill (${description}).`]
          : []),
        ...(prefillPrecision === 'fp8'
          ? ['Prefill multiplies in fp8: it is faster, and answers may differ from those in bf16.']
          : []),
      ],
    };
  }
}

/** @throws LongviewError `deviceUnavailable` where the device does not multiply what was asked for */
function checkPrecision(request: LoadRequest, { name, computeCapability = '0' }: CudaDevice): void {
  if (precisionOf(request) === 'bf16' || Number(computeCapability) >= FP8_CAPABILITY) return;
  throw new LongviewError(
    'deviceUnavailable',
    `${name} does not multiply fp8: that needs a GPU of compute capability ${FP8_CAPABILITY} or newer.`,
    'Set longview.prefillPrecision (--precision) to bf16.',
    { device: name },
  );
}

function precisionOf({ prefillPrecision = 'bf16' }: LoadRequest): PrefillPrecision {
  return prefillPrecision;
}

function chunkTokensFor({ contextTokens }: LoadRequest): number {
  return contextTokens < LONG_CONTEXT_TOKENS ? CHUNK_TOKENS : LONG_CHUNK_TOKENS;
}
