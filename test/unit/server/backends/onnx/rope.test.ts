import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { ropeFrequencies, ropeTables } from '../../../../../server/backends/onnx/rope';
import { yarnScaling } from '../../../../../server/models/rope-scaling';
import { longPositions } from './long-positions';
import { makeTempDir } from './tiny-models';

/** As scripts/goldens/rope/make.py writes it. */
interface RopeGolden {
  name: string;
  headDim: number;
  base: number;
  yarn?: { factor: number; original: number };
  divisors?: number[];
  radians: number[];
  attentionFactor: number;
}

const GOLDENS = JSON.parse(
  fs.readFileSync(path.join(process.cwd(), 'test/fixtures/rope.json'), 'utf8'),
) as RopeGolden[];

suite('rotary positions', () => {
  for (const { name, headDim, base, yarn, divisors, radians, attentionFactor } of GOLDENS) {
    test(`turn as in transformers: ${name}`, () => {
      const rope = {
        headDim,
        ropeBase: base,
        ...(yarn && { yarn: yarnScaling(yarn.factor, yarn.original) }),
        ...(divisors && { ropeDivisors: divisors }),
      };
      const ours = ropeFrequencies(rope);
      assert.equal(ours.length, radians.length);
      // transformers computes in float32.
      for (const [i, expected] of radians.entries())
        assert.ok(Math.abs((ours[i] ?? 0) / expected - 1) < 3e-6, `pair ${i}: ${ours[i]} and ${expected}`);
      const { cos, sin } = ropeTables(2, rope);
      assert.equal(cos[0], Math.fround(attentionFactor), 'position 0');
      assert.equal(sin[headDim / 2], Math.fround(Math.sin(ours[0] ?? 0) * attentionFactor), 'position 1');
    });
  }

  for (const model of ['qwen2-tied-mixed.yarn', 'llama3-scaled-q8']) {
    test(`a whole model with scaled positions: ${model}`, async () => {
      const cacheDir = makeTempDir();
      try {
        const { error, plainError } = await longPositions(model, cacheDir);
        assert.ok(error < 2e-4, `error ${error} of the largest logit`);
        assert.ok(plainError > 0.05, `the golden would pass without the scaling: ${plainError}`);
      } finally {
        fs.rmSync(cacheDir, { recursive: true, force: true });
      }
    });
  }
});
