import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { ModelSpec } from '../../models/model-spec';
import type { TokenId } from '../../tokenizer/tokenizer';
import type { WeightsManifest } from './converted-weights';
import { DECODER_IO, decoderGraph } from './decoder-graph';
import type { KvBuffers } from './kv-buffers';
import { describeRuntimeError, type OnnxRuntime } from './onnx-runtime';
import type { MatmulAccuracy } from './weight-ops';

export interface DecoderSessionOptions {
  spec: ModelSpec;
  manifest: WeightsManifest;
  /** Folder of the weights file; a real path, since onnxruntime refuses links that lead out of it. */
  weightsDir: string;
  contextTokens: number;
  cpuThreads: number;
  accuracy: MatmulAccuracy;
}

/** Which tokens of a call get logits. */
export type WantedLogits = 'none' | 'last' | 'all';

/** A loaded decoder. Calls do not overlap; each blocks this process's event loop while it computes. */
export class DecoderSession {
  private constructor(
    private readonly runtime: OnnxRuntime,
    private readonly session: InferenceSession,
    private readonly spec: ModelSpec,
  ) {}

  /** @throws LongviewError `outOfMemory` or `engineFailed` */
  static async load(runtime: OnnxRuntime, options: DecoderSessionOptions): Promise<DecoderSession> {
    const model = decoderGraph(options.spec, options.manifest, options);
    try {
      const session = await runtime.InferenceSession.create(model, {
        executionProviders: ['cpu'],
        intraOpNumThreads: options.cpuThreads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
        extra: {
          session: {
            // The model has no path of its own, so the folder of its weights is named here.
            model_external_initializers_file_folder_path: options.weightsDir,
            // Denormal activations are several times slower and change nothing that can be seen.
            set_denormal_as_zero: '1',
          },
        },
      });
      return new DecoderSession(runtime, session, options.spec);
    } catch (error) {
      throw describeRuntimeError(error, 'while loading the model');
    }
  }

  /**
   * Appends `tokens` to the sequence: computes their KV into `kv`.
   *
   * @returns float32 logits, `vocabSize` for each row wanted; empty for `none`
   * @throws LongviewError `outOfMemory` or `engineFailed`; `kv` then is as before
   */
  async append(tokens: Int32Array, kv: KvBuffers, wanted: WantedLogits): Promise<Float32Array> {
    try {
      kv.reserve(kv.lengthTokens + tokens.length);
      const results = await this.session.run(this.feeds(tokens, kv, wanted));
      for (let layer = 0; layer < this.spec.layerCount; layer++) {
        const key = floatsOf(results[DECODER_IO.newKey(layer)]);
        kv.write(layer, key, floatsOf(results[DECODER_IO.newValue(layer)]), tokens.length);
      }
      kv.advance(tokens.length);
      return floatsOf(results[DECODER_IO.logits]);
    } catch (error) {
      throw describeRuntimeError(error, 'while computing');
    }
  }

  async dispose(): Promise<void> {
    await this.session.release();
  }

  private feeds(tokens: Int32Array, kv: KvBuffers, wanted: WantedLogits): Record<string, Tensor> {
    const { Tensor } = this.runtime;
    const { spec } = this;
    const start = kv.lengthTokens;
    const end = start + tokens.length;
    const int64 = (values: ArrayLike<number>, dims: number[]) =>
      new Tensor('int64', BigInt64Array.from(values as ArrayLike<number> & Iterable<number>, BigInt), dims);
    const rows = logitRows(tokens.length, wanted);
    const feeds: Record<string, Tensor> = {
      [DECODER_IO.tokens]: int64(tokens, [1, tokens.length]),
      [DECODER_IO.lastPosition]: new Tensor('int32', Int32Array.of(end - 1), [1]),
      [DECODER_IO.totalTokens]: new Tensor('int32', Int32Array.of(end), []),
      [DECODER_IO.newStart]: int64([start], [1]),
      [DECODER_IO.newEnd]: int64([end], [1]),
      [DECODER_IO.logitRows]: int64(rows, [rows.length]),
    };
    const kvDims = [1, spec.kvHeadCount, kv.capacityTokens, spec.headDim];
    for (let layer = 0; layer < spec.layerCount; layer++) {
      feeds[DECODER_IO.pastKey(layer)] = new Tensor('float32', kv.key(layer), kvDims);
      feeds[DECODER_IO.pastValue(layer)] = new Tensor('float32', kv.value(layer), kvDims);
    }
    return feeds;
  }
}

function logitRows(count: number, wanted: WantedLogits): TokenId[] {
  if (wanted === 'none') return [];
  return wanted === 'last' ? [count - 1] : Array.from({ length: count }, (_, row) => row);
}

function floatsOf(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new Error('the decoder gave a result of another type');
}
