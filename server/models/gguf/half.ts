/** 2^(exponent - 25) for each 5-bit exponent field: the value of one unit of the 10-bit fraction. */
const FRACTION_UNIT = Float64Array.from({ length: 32 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));

/** The value of an IEEE 754 half, given by its 16 bits. */
export function halfToNumber(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  const mantissa = exponent === 0 ? fraction : fraction | 0x400;
  return sign * mantissa * (FRACTION_UNIT[exponent] ?? 0);
}
