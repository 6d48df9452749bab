import type { ModelSpec } from '../../models/model-spec';
import type { YarnScaling } from '../../models/rope-scaling';

/** What of a model turns its positions. */
export type Rope = Pick<ModelSpec, 'headDim' | 'ropeBase' | 'yarn' | 'ropeDivisors'>;

/** Cosines and sines of rotary positions, each float32 `[positions, headDim / 2]`. */
export interface RopeTables {
  cos: Float32Array;
  sin: Float32Array;
}

/** Angle of pair `i` at position `p`: `p` times its frequency, computed in double precision. */
export function ropeTables(positions: number, rope: Rope): RopeTables {
  const half = rope.headDim / 2;
  const scale = rope.yarn?.attentionFactor ?? 1;
  const frequencies = ropeFrequencies(rope);
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * (frequencies[i] ?? 0);
      cos[position * half + i] = Math.cos(angle) * scale;
      sin[position * half + i] = Math.sin(angle) * scale;
    }
  }
  return { cos, sin };
}

/** Radians a position for each pair: `base^(-2i / headDim)`, scaled as the model says. */
export function ropeFrequencies({ headDim, ropeBase, yarn, ropeDivisors }: Rope): Float64Array {
  const plain = Float64Array.from({ length: headDim / 2 }, (_, i) => ropeBase ** ((-2 * i) / headDim));
  const divided = plain.map((frequency, i) => frequency / (ropeDivisors?.[i] ?? 1));
  return yarn ? stretched(divided, yarn, headDim, ropeBase) : divided;
}

/** YaRN as Hugging Face transformers computes it: the bounds of the ramp rounded outwards. */
function stretched(
  frequencies: Float64Array,
  yarn: YarnScaling,
  headDim: number,
  base: number,
): Float64Array {
  const pairOfTurns = (turns: number): number =>
    (headDim * Math.log(yarn.originalContextTokens / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(Math.floor(pairOfTurns(yarn.betaFast)), 0);
  const high = Math.min(Math.ceil(pairOfTurns(yarn.betaSlow)), headDim - 1);
  const width = Math.max(high - low, 0.001);
  return frequencies.map((frequency, i) => {
    const slowed = Math.min(Math.max((i - low) / width, 0), 1);
    return frequency * (1 - slowed + slowed / yarn.factor);
  });
}
