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

export function compare(dense: DensePosition, logits: Float32Array, sum: Agreement): void {
  const size = dense.logits.length;
  const other = logits.subarray(0, size);
  const { top, logSum } = topAndLogSum(other);
  let kl = 0;
  for (let i = 0; i < size; i++) {
    const logP = dense.logits[i]! - dense.logSum;
    // What is this unlikely adds nothing that counts.
    if (logP > -30) kl += Math.exp(logP) * (logP - (other[i]! - logSum));
  }
  sum.positions++;
  sum.sameTop += top === dense.top ? 1 : 0;
  sum.klSum += Math.max(0, kl);
}

function topAndLogSum(logits: Float32Array): { top: number; logSum: number } {
  let top = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[top]!) top = i;
  const most = logits[top]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - most);
  return { top, logSum: most + Math.log(sum) };
}
