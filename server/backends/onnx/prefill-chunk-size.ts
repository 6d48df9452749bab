import type { ModelSpec } from '../../models/model-spec';

/**
 * Multiply-adds that one thread does in a chunk of about 0.3 s: measured with 8-bit blocks on two cores of a
 * server with AVX512-VNNI, where half of the limit of 0.5 s is left for attention over a long prefix.
 */
const MULTIPLY_ADDS_PER_THREAD = 21e9;
const MIN_TOKENS = 16;
/** Longer chunks are hardly faster, and Stop and the progress bar wait for them. */
const MAX_TOKENS = 256;

/** Prompt tokens for one call: a power of two, fixed for a model and a thread count, so that runs repeat. */
export function prefillChunkSize(spec: ModelSpec, cpuThreads: number): number {
  const budget = (MULTIPLY_ADDS_PER_THREAD * cpuThreads) / multiplyAddsPerToken(spec);
  const powerOfTwo = 2 ** Math.floor(Math.log2(budget));
  return Math.max(MIN_TOKENS, Math.min(MAX_TOKENS, powerOfTwo));
}

/** Of the linear layers; the embedding only looks up, and the head runs once a prompt. */
function multiplyAddsPerToken(spec: ModelSpec): number {
  const attention = 2 * spec.hiddenSize * (spec.headCount + spec.kvHeadCount) * spec.headDim;
  return spec.layerCount * (attention + 3 * spec.hiddenSize * spec.feedForwardSize);
}
