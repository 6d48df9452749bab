import type { ModelSpec } from '../../models/model-spec';

/**
 * Multiply-adds that one thread does in 0.5 s, measured with 8-bit blocks on a server core with AVX512-VNNI.
 * Attention runs at about half that rate.
 */
const MULTIPLY_ADDS_PER_THREAD = 23e9;
const ATTENTION_WEIGHT = 2;
const STEP_TOKENS = 4;
const MIN_TOKENS = 8;
/** Longer chunks are hardly faster, and Stop and the progress bar wait for them. */
const MAX_TOKENS = 256;

/**
 * Prompt tokens for one call, so that even the last chunk of a full context stays within about 0.5 s. It depends
 * on the model, the context and the thread count only, so that runs repeat.
 */
export function prefillChunkSize(spec: ModelSpec, contextTokens: number, cpuThreads: number): number {
  const attention = ATTENTION_WEIGHT * attentionPerToken(spec, contextTokens);
  const affordable = (MULTIPLY_ADDS_PER_THREAD * cpuThreads) / (linearPerToken(spec) + attention);
  const stepped = Math.floor(affordable / STEP_TOKENS) * STEP_TOKENS;
  return Math.max(MIN_TOKENS, Math.min(MAX_TOKENS, stepped));
}

/** Multiply-adds of the linear layers; the embedding only looks up, and the head runs once a prompt. */
function linearPerToken(spec: ModelSpec): number {
  const projections = 2 * spec.hiddenSize * (spec.headCount + spec.kvHeadCount) * spec.headDim;
  return spec.layerCount * (projections + 3 * spec.hiddenSize * spec.feedForwardSize);
}

/** Multiply-adds of one token that looks at a full context: scores, then values. */
function attentionPerToken(spec: ModelSpec, contextTokens: number): number {
  return spec.layerCount * 2 * spec.headCount * spec.headDim * contextTokens;
}
