import type { YarnScaling } from './rope-scaling';

/** Shape of a decoder-only transformer of the Qwen2, Qwen3 or Llama family, read from a GGUF header. */
export interface ModelSpec {
  architecture: 'qwen2' | 'qwen3' | 'llama';
  name: string;
  layerCount: number;
  hiddenSize: number;
  feedForwardSize: number;
  headCount: number;
  kvHeadCount: number;
  headDim: number;
  vocabSize: number;
  trainedContextTokens: number;
  ropeBase: number;
  /** Stretches the positions; in the file, or chosen by a load whose context is longer than the trained one. */
  yarn?: YarnScaling;
  /** Llama 3: divides the frequency of each pair; `[headDim / 2]`. */
  ropeDivisors?: readonly number[];
  rmsNormEpsilon: number;
  /** True when there is no `output.weight` and the embedding serves as the head. */
  tiedEmbedding: boolean;
  qkvBias: boolean;
  /** Qwen3 norms each head of Q and K before it is turned to its position. */
  qkNorm: boolean;
  /** Llama files store Q and K rows permuted for interleaved RoPE; Qwen2 files do not. */
  interleavedRope: boolean;
}
