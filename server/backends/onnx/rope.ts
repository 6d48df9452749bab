/** Cosines and sines of rotary positions, each float32 `[positions, headDim / 2]`. */
export interface RopeTables {
  cos: Float32Array;
  sin: Float32Array;
}

/** Angle of pair `i` at position `p`: `p * base^(-2i / headDim)`, computed in double precision. */
export function ropeTables(positions: number, headDim: number, base: number): RopeTables {
  const half = headDim / 2;
  const frequencies = Float64Array.from({ length: half }, (_, i) => base ** ((-2 * i) / headDim));
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * (frequencies[i] ?? 0);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
