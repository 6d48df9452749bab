/**
 * YaRN (arXiv 2309.00071): a context `factor` times as long as the original one. Pairs that turn often in it are kept,
 * pairs that turn seldom are slowed by the factor, those between are interpolated.
 */
export interface YarnScaling {
  factor: number;
  originalContextTokens: number;
  /** Pairs that make more turns than this in the original context are kept. */
  betaFast: number;
  /** Pairs that make fewer are slowed by the whole factor. */
  betaSlow: number;
  /** Multiplies cosines and sines. */
  attentionFactor: number;
}

/** The parameters that the paper recommends for `factor`, with the scale of its attention times `attentionScale`. */
export function yarnScaling(factor: number, originalContextTokens: number, attentionScale = 1): YarnScaling {
  const attentionFactor = attentionScale * (0.1 * Math.log(factor) + 1);
  return { factor, originalContextTokens, betaFast: 32, betaSlow: 1, attentionFactor };
}
