/** How close the next-token distribution is to that of dense attention. */
export interface Agreement {
  positions: number;
  /** Positions at which both find the same token likeliest. */
  sameTop: number;
  /** Sum of KL(dense || this) over the positions, in nats. */
  klSum: number;
}

/** What is kept of the dense distributions: the logits, the likeliest token and the logarithm of the sum. */
export interface DensePosition {
  logits: Float32Array;
  top: number;
  logSum: number;
}

/** @param size of the vocabulary without its unused rows */
export function densePosition(logits: Float32Array, size: number): DensePosition {
  const kept = logits.slice(0, size);
  return { logits: kept, ...topAndLogSum(kept) };
}

/** Adds the distribution of `logits` to `sum`. */
export function compare(dense: DensePosition, logits: Float32Array, sum: Agreement): void {
  const other = logits.subarray(0, dense.logits.length);
  const { top, logSum } = topAndLogSum(other);
  const least = dense.logSum - NEGLIGIBLE;
  let kl = 0;
  for (let i = 0; i < other.length; i++) {
    const logit = dense.logits[i]!;
    if (logit < least) continue;
    const logP = logit - dense.logSum;
    kl += Math.exp(logP) * (logP - (other[i]! - logSum));
  }
  sum.positions++;
  sum.sameTop += top === dense.top ? 1 : 0;
  sum.klSum += Math.max(0, kl);
}

/** Tokens this far below the likeliest, in nats, add nothing that counts: all of a vocabulary 1e-6 at most. */
const NEGLIGIBLE = 26;

function topAndLogSum(logits: Float32Array): { top: number; logSum: number } {
  let top = 0;
  let most = logits[0] ?? 0;
  for (let i = 1; i < logits.length; i++) {
    const logit = logits[i]!;
    if (logit <= most) continue;
    most = logit;
    top = i;
  }
  const least = most - NEGLIGIBLE;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!;
    if (logit > least) sum += Math.exp(logit - most);
  }
  return { top, logSum: most + Math.log(sum) };
}
