import { randomInt } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { LongviewError } from '../../errors';
import type { GgufFile } from '../../models/gguf/gguf-file';
import { openGguf } from '../../models/gguf/open-gguf';
import type { ModelSpec } from '../../models/model-spec';
import { type SpecForLoad, specForLoad } from '../../models/spec-for-load';
import type {
  Backend,
  DecodeStepRequest,
  LoadedModel,
  LoadProgress,
  LoadRequest,
  OpenSequenceRequest,
  PrefillChunkRequest,
  RewindRequest,
  SequenceId,
  StepResult,
} from '../backend';
import { convertTensors } from './convert';
import { type ConvertedWeights, openConvertedWeights } from './converted-cache';
import { DecoderSession } from './decoder-session';
import { KvBuffers } from './kv-buffers';
import { loadOnnxRuntime, type OnnxRuntime } from './onnx-runtime';
import { prefillChunkSize } from './prefill-chunk-size';
import {
  checkFamily,
  checkLoadRequest,
  checkTokens,
  contextTooLarge,
  sampleUnavailable,
} from './request-checks';
import { Sampler } from './sampler';

/** Sequences share the weights; each has KV of its own, which grows as it is used. */
const MAX_SEQUENCES = 4;

export interface OnnxBackendDependencies {
  loadRuntime: () => Promise<OnnxRuntime>;
  /** Seeds sequences whose sampling options name no seed. */
  freshSeed: () => number;
}

/** The CPU backend over onnxruntime, with its native library loaded on first use. */
export function createOnnxBackend(): Backend {
  return new OnnxBackend({ loadRuntime: loadOnnxRuntime, freshSeed: () => randomInt(2 ** 32) });
}

interface Model {
  spec: ModelSpec;
  session: DecoderSession;
  contextTokens: number;
}

interface OpenSequence {
  kv: KvBuffers;
  sampler: Sampler;
}

/** Dense attention on the CPU, from GGUF weights converted once into the cache folder. */
export class OnnxBackend implements Backend {
  private model: Model | undefined;
  private readonly sequences = new Map<SequenceId, OpenSequence>();
  private nextSequence: SequenceId = 1;

  constructor(private readonly dependencies: OnnxBackendDependencies) {}

  async load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    checkLoadRequest(request);
    await this.dispose();
    const runtime = await this.dependencies.loadRuntime();
    const gguf = await openGguf(request.modelPath);
    try {
      const prepared = await specForLoad(gguf, request);
      const { spec } = prepared;
      checkFamily(spec, request.modelPath);
      const weights = await convertedWeights(request, gguf, onProgress);
      onProgress({ stage: 'load', fraction: 0 });
      const session = await DecoderSession.load(runtime, {
        spec,
        manifest: weights.manifest,
        weightsDir: await realpath(weights.dir),
        contextTokens: request.contextTokens,
        cpuThreads: request.cpuThreads,
        accuracy: request.matmulAccuracy ?? 4,
      });
      this.model = { spec, session, contextTokens: request.contextTokens };
      onProgress({ stage: 'load', fraction: 1 });
      return describeModel(prepared, request, weights);
    } finally {
      await gguf.close();
    }
  }

  openSequence(request: OpenSequenceRequest): Promise<SequenceId> {
    return promised(() => {
      const { spec, contextTokens } = this.loaded();
      if (this.sequences.size >= MAX_SEQUENCES) {
        throw new LongviewError(
          'engineFailed',
          `The CPU engine holds ${MAX_SEQUENCES} sequences already.`,
          'Close another conversation, then ask again.',
        );
      }
      const id = this.nextSequence++;
      const kv = new KvBuffers(spec, contextTokens);
      this.sequences.set(id, { kv, sampler: this.newSampler(request) });
      return id;
    });
  }

  async prefillChunk({ sequence, tokens, sparse, sample }: PrefillChunkRequest): Promise<StepResult> {
    if (sparse) throw sampleUnavailable();
    return this.step(sequence, tokens, sample);
  }

  async decodeStep({ sequence, token }: DecodeStepRequest): Promise<StepResult> {
    return this.step(sequence, Int32Array.of(token), true);
  }

  rewindSequence(request: RewindRequest): Promise<void> {
    return promised(() => {
      const sequence = this.opened(request.sequence);
      const { lengthTokens } = request;
      if (!Number.isInteger(lengthTokens) || lengthTokens < 0 || lengthTokens > sequence.kv.lengthTokens) {
        throw new LongviewError(
          'engineFailed',
          `A sequence of ${sequence.kv.lengthTokens} tokens cannot be rewound to ${lengthTokens}.`,
          'Start a new chat.',
        );
      }
      sequence.kv.truncate(lengthTokens);
      sequence.sampler = this.newSampler(request);
    });
  }

  closeSequence(sequence: SequenceId): Promise<void> {
    return promised(() => {
      this.opened(sequence);
      this.sequences.delete(sequence);
    });
  }

  async dispose(): Promise<void> {
    const { model } = this;
    this.model = undefined;
    this.sequences.clear();
    await model?.session.dispose();
  }

  private async step(id: SequenceId, tokens: Int32Array, sample: boolean): Promise<StepResult> {
    const { spec, session, contextTokens } = this.loaded();
    const { kv, sampler } = this.opened(id);
    checkTokens(tokens, spec.vocabSize);
    if (kv.lengthTokens + tokens.length > contextTokens) {
      throw contextTooLarge(kv.lengthTokens + tokens.length, contextTokens, spec.name);
    }
    const startMs = performance.now();
    const logits = await session.append(tokens, kv, sample ? 'last' : 'none');
    const deviceMs = performance.now() - startMs;
    return sample ? { next: sampler.sample(logits), deviceMs } : { deviceMs };
  }

  private newSampler({ sampling, firstUnusedToken }: OpenSequenceRequest): Sampler {
    return new Sampler(sampling, firstUnusedToken, this.dependencies.freshSeed);
  }

  private loaded(): Model {
    if (this.model) return this.model;
    throw new LongviewError('engineFailed', 'No model is loaded.', 'Load a model, then ask again.');
  }

  private opened(id: SequenceId): OpenSequence {
    const sequence = this.sequences.get(id);
    if (sequence) return sequence;
    throw new LongviewError('engineFailed', `There is no sequence ${id}.`, 'Start a new chat.');
  }
}

function convertedWeights(
  request: LoadRequest,
  gguf: GgufFile,
  onProgress: (progress: LoadProgress) => void,
): Promise<ConvertedWeights> {
  return openConvertedWeights({
    cacheDir: request.cacheDir,
    modelSha256: request.modelSha256,
    convert: (sink) => convertTensors(gguf, sink, (fraction) => onProgress({ stage: 'convert', fraction })),
  });
}

function describeModel(
  { spec, notices }: SpecForLoad,
  request: LoadRequest,
  weights: ConvertedWeights,
): LoadedModel {
  const { cpuThreads, contextTokens } = request;
  return {
    backend: 'onnx',
    device: `CPU (${cpuThreads} ${cpuThreads === 1 ? 'thread' : 'threads'})`,
    sampleUnavailable: 'it runs on the CUDA engine only',
    contextTokens,
    vocabSize: spec.vocabSize,
    maxSequences: MAX_SEQUENCES,
    prefillChunkTokens: prefillChunkSize(spec, contextTokens, cpuThreads),
    notices: [
      ...notices,
      ...(weights.damage === undefined
        ? []
        : [`The converted weights in the cache were damaged (${weights.damage}) and were made again.`]),
    ],
  };
}

/** A rejection instead of a throw, as the interface promises. */
function promised<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => resolve(run()));
}
