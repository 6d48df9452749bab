/** Uniform numbers in [0, 1). */
export type RandomSource = () => number;

/**
 * A small seeded generator: xoshiro128** (Blackman and Vigna), its state filled from the seed by
 * splitmix32. Not for secrets. The same seed gives the same numbers on every machine.
 */
export function seededRandom(seed: number): RandomSource {
  const fill = splitmix32(seed);
  const state = Uint32Array.from({ length: 4 }, () => fill());
  return () => {
    // 53 bits, as many as a double holds: 27 from one output and 26 from the next.
    const high = xoshiro128(state) >>> 5;
    const low = xoshiro128(state) >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  };
}

/** All 64 bits of the seed's double representation count, so that 0.1 and 0.2 differ. */
function splitmix32(seed: number): () => number {
  const [low = 0, high = 0] = new Uint32Array(Float64Array.of(seed).buffer);
  let counter = (low ^ Math.imul(high, 0x85ebca6b)) >>> 0;
  return () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let mixed = counter;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
}

function xoshiro128(state: Uint32Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = state;
  const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
  const third = c ^ a;
  const fourth = d ^ b;
  state[0] = a ^ fourth;
  state[1] = b ^ third;
  state[2] = third ^ (b << 9);
  state[3] = rotateLeft(fourth, 11);
  return result;
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
