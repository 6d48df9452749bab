import { randomInt } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { LongviewError } from '../../errors';
import type { GgufFile } from '../../models/gguf/gguf-file';
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

/** KV is copied in pieces of this many tokens: a few megabytes. */
const KV_BLOCK_TOKENS = 128;

/** A chunk cannot be ended early here, so one that a question may wait for is this much shorter. */
const BACKGROUND_SHARE = 1 / 4;

export interface OnnxBackendDependencies {
  loadRuntime: () => Promise<OnnxRuntime>;
  /** Seeds sequences whose sampling options name no seed. */
  freshSeed: () => number;
}

/** The CPU backend over onnxruntime, with its native library loaded on first use. */
export function createOnnxBackend(): DeviceBackend {
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
export class OnnxBackend implements DeviceBackend {
  private model: Model | undefined;
  private readonly sequences = new Map<SequenceId, OpenSequence>();
  private nextSequence: SequenceId = 1;

  constructor(private readonly dependencies: OnnxBackendDependencies) {}

  async load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    checkLoadRequest(request);
    await this.dispose();
    const runtime = await this.dependencies.loadRuntime();
    const gguf = await openModel(request.modelPath);
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
      return this.add(() => new KvBuffers(spec, contextTokens), request);
    });
  }

  forkSequence(request: RewindRequest): Promise<SequenceId> {
    return promised(() => {
      const { kv } = this.opened(request.sequence);
      checkPrefix(kv, request.lengthTokens);
      return this.add(() => kv.fork(request.lengthTokens), request);
    });
  }

  exportKv({ sequence, startToken, tokens }: ExportKvRequest): Promise<Uint8Array> {
    return promised(() => {
      const { kv } = this.opened(sequence);
      checkBlock(startToken, tokens);
      checkPrefix(kv, startToken + tokens);
      return new Uint8Array(kv.read(startToken, tokens).buffer);
    });
  }

  importKv({ sequence, tokens, kv: bytes }: ImportKvRequest): Promise<void> {
    return promised(() => {
      const { contextTokens, spec } = this.loaded();
      const { kv } = this.opened(sequence);
      checkBlock(kv.lengthTokens, tokens);
      if (bytes.length !== kv.bytesOf(tokens)) {
        throw new LongviewError(
          'engineFailed',
          `${bytes.length} bytes are not the KV of ${tokens} tokens of this model.`,
          'Purge the prefix cache, then ask again.',
        );
      }
      if (kv.lengthTokens + tokens > contextTokens) {
        throw contextTooLarge(kv.lengthTokens + tokens, contextTokens, spec.name);
      }
      kv.append(floatsIn(bytes), tokens);
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
      checkPrefix(sequence.kv, lengthTokens);
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

  private add(makeKv: () => KvBuffers, request: OpenSequenceRequest): SequenceId {
    if (this.sequences.size >= MAX_SEQUENCES) {
      throw new LongviewError(
        'engineFailed',
        `The CPU engine holds ${MAX_SEQUENCES} sequences already.`,
        'Close another conversation, then ask again.',
      );
    }
    const id = this.nextSequence++;
    this.sequences.set(id, { kv: makeKv(), sampler: this.newSampler(request) });
    return id;
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
  const prefillChunkTokens = prefillChunkSize(spec, contextTokens, cpuThreads);
  return {
    backend: 'onnx',
    device: `CPU (${cpuThreads} ${cpuThreads === 1 ? 'thread' : 'threads'})`,
    sampleUnavailable: 'it runs on the CUDA engine only',
    contextTokens,
    vocabSize: spec.vocabSize,
    maxSequences: MAX_SEQUENCES,
    prefillChunkTokens,
    backgroundChunkTokens: Math.max(1, Math.floor(prefillChunkTokens * BACKGROUND_SHARE)),
    kvPoolTokens: MAX_SEQUENCES * contextTokens,
    kvBlockTokens: KV_BLOCK_TOKENS,
    notices: [
      ...notices,
      ...(request.prefillPrecision === 'fp8' ? ['Prefill in fp8 needs a GPU; the CPU does without.'] : []),
      ...(weights.damage === undefined
        ? []
        : [`The converted weights in the cache were damaged (${weights.damage}) and were made again.`]),
    ],
  };
}

function checkPrefix(kv: KvBuffers, lengthTokens: number): void {
  if (Number.isInteger(lengthTokens) && lengthTokens >= 0 && lengthTokens <= kv.lengthTokens) return;
  throw new LongviewError(
    'engineFailed',
    `A sequence of ${kv.lengthTokens} tokens has no first ${lengthTokens}.`,
    'Start a new chat.',
  );
}

function checkBlock(startToken: number, tokens: number): void {
  if (
    startToken % KV_BLOCK_TOKENS === 0 &&
    Number.isInteger(tokens) &&
    tokens > 0 &&
    tokens <= KV_BLOCK_TOKENS
  )
    return;
  throw new LongviewError(
    'engineFailed',
    `KV is copied in blocks of ${KV_BLOCK_TOKENS} tokens, not ${tokens} from token ${startToken}.`,
    'Report this with the output of "Longview: Diagnose".',
  );
}

/** Bytes as floats, copied where they do not lie on a border of four. */
function floatsIn(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Float32Array(
    aligned.buffer,
    aligned.byteOffset,
    aligned.byteLength / Float32Array.BYTES_PER_ELEMENT,
  );
}

/** A rejection instead of a throw, as the interface promises. */
function promised<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => resolve(run()));
}
