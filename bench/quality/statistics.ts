/** A share with its 95% confidence interval. */
export interface Share {
  right: number;
  of: number;
  value: number;
  low: number;
  high: number;
}

const Z = 1.96;

/** Wilson's score interval: it stays within 0 and 1, and does not vanish at either. */
export function wilson(right: number, of: number): Share {
  if (of === 0) return { right, of, value: 0, low: 0, high: 1 };
  const value = right / of;
  const denominator = 1 + (Z * Z) / of;
  const middle = value + (Z * Z) / (2 * of);
  const spread = Z * Math.sqrt((value * (1 - value)) / of + (Z * Z) / (4 * of * of));
  return {
    right,
    of,
    value,
    low: Math.max(0, (middle - spread) / denominator),
    high: Math.min(1, (middle + spread) / denominator),
  };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
