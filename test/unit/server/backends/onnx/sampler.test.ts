import assert from 'node:assert/strict';
import type { SamplingOptions } from '../../../../../protocol';
import { seededRandom } from '../../../../../server/backends/onnx/random';
import { Sampler } from '../../../../../server/backends/onnx/sampler';
import { TokenHeap } from '../../../../../server/backends/onnx/token-heap';
import { LongviewError } from '../../../../../server/errors';

const VOCABULARY = 1000;
const GREEDY: SamplingOptions = { temperature: 0, topP: 1, topK: 0, stop: [] };

function samplerOf(options: Partial<SamplingOptions>, firstUnused = VOCABULARY, freshSeed = 1): Sampler {
  return new Sampler({ ...GREEDY, ...options }, firstUnused, () => freshSeed);
}

/** Shares of the ids over many draws. */
function shares(sampler: Sampler, logits: Float32Array, draws = 20_000): Map<number, number> {
  const counts = new Map<number, number>();
  for (let i = 0; i < draws; i++) {
    const id = sampler.sample(logits);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return new Map([...counts].map(([id, count]) => [id, count / draws]));
}

function assertShares(actual: Map<number, number>, expected: [id: number, share: number][]): void {
  assert.deepEqual([...actual.keys()].sort(), expected.map(([id]) => id).sort());
  for (const [id, share] of expected) {
    // Four standard deviations of 20,000 draws are at most 0.0142.
    assert.ok(Math.abs((actual.get(id) ?? 0) - share) < 0.0145, `id ${id}: ${actual.get(id)}, not ${share}`);
  }
}

/** Logits of these probabilities, all other ids impossible. */
function logitsOf(probabilities: Record<number, number>): Float32Array {
  const logits = new Float32Array(VOCABULARY).fill(-Infinity);
  for (const [id, probability] of Object.entries(probabilities)) logits[Number(id)] = Math.log(probability);
  return logits;
}

const FOUR = logitsOf({ 3: 0.1, 500: 0.4, 501: 0.3, 999: 0.2 });

suite('sampler', () => {
  test('greedy takes the greatest logit, the first of equals, and ignores the other options', () => {
    assert.equal(samplerOf({ topP: 0.1, topK: 1, seed: 5 }).sample(FOUR), 500);
    assert.equal(samplerOf({}).sample(Float32Array.of(-3, 2, 2, 1)), 1);
  });

  test('ids from the first unused one are never chosen, though they score best', () => {
    const logits = Float32Array.from({ length: VOCABULARY }, (_, id) => id);
    assert.equal(samplerOf({}, 700).sample(logits), 699);
    for (const options of [{}, { topK: 5 }, { topP: 0.5 }]) {
      const sampler = samplerOf({ temperature: 100, seed: 1, ...options }, 700);
      for (const id of shares(sampler, logits, 2000).keys()) assert.ok(id < 700);
    }
  });

  test('temperature 1 draws by the probabilities of the model', () => {
    assertShares(shares(samplerOf({ temperature: 1, seed: 1 }), FOUR), [
      [500, 0.4],
      [501, 0.3],
      [999, 0.2],
      [3, 0.1],
    ]);
  });

  test('temperature 0.5 squares them', () => {
    assertShares(shares(samplerOf({ temperature: 0.5, seed: 2 }), FOUR), [
      [500, 16 / 30],
      [501, 9 / 30],
      [999, 4 / 30],
      [3, 1 / 30],
    ]);
  });

  test('top-k keeps the k likeliest', () => {
    assertShares(shares(samplerOf({ temperature: 1, topK: 2, seed: 3 }), FOUR), [
      [500, 4 / 7],
      [501, 3 / 7],
    ]);
  });

  test('top-p keeps the fewest that reach its share', () => {
    assertShares(shares(samplerOf({ temperature: 1, topP: 0.65, seed: 4 }), FOUR), [
      [500, 4 / 7],
      [501, 3 / 7],
    ]);
    assert.deepEqual([...shares(samplerOf({ temperature: 1, topP: 0, seed: 4 }), FOUR, 100).keys()], [500]);
  });

  test('top-p counts its share of what top-k leaves', () => {
    // The best two hold 4/7 and 3/7: the first alone reaches 0.5 of them, though not of everything.
    const sampler = samplerOf({ temperature: 1, topK: 2, topP: 0.5, seed: 5 });
    assert.deepEqual([...shares(sampler, FOUR, 200).keys()], [500]);
  });

  test('the same seed draws the same tokens, another seed others, and no seed a fresh one', () => {
    const flat = new Float32Array(VOCABULARY);
    const draw = (sampler: Sampler) => Array.from({ length: 20 }, () => sampler.sample(flat));
    const first = draw(samplerOf({ temperature: 1, seed: 42 }, VOCABULARY, 1));
    assert.deepEqual(draw(samplerOf({ temperature: 1, seed: 42 }, VOCABULARY, 2)), first);
    assert.notDeepEqual(draw(samplerOf({ temperature: 1, seed: 43 })), first);
    assert.deepEqual(draw(samplerOf({ temperature: 1 }, VOCABULARY, 42)), first);
  });

  test('logits of a broken model are an error, never a token', () => {
    for (const broken of [
      Float32Array.of(1, Number.NaN, 2),
      Float32Array.of(1, Infinity, 2),
      Float32Array.of(-Infinity, -Infinity),
      new Float32Array(0),
    ]) {
      for (const temperature of [0, 1]) {
        assert.throws(
          () => samplerOf({ temperature, seed: 1 }).sample(broken),
          (error) => error instanceof LongviewError && error.code === 'engineFailed',
        );
      }
    }
  });

  test('a NaN among the unused ids does not matter', () => {
    assert.equal(samplerOf({}, 2).sample(Float32Array.of(1, 3, Number.NaN)), 1);
  });

  test('extreme temperatures neither overflow nor divide by zero', () => {
    assert.equal(samplerOf({ temperature: 1e-30, seed: 1 }).sample(FOUR), 500);
    const hot = shares(samplerOf({ temperature: 1e30, seed: 1 }), Float32Array.of(-80, 80), 2000);
    assert.ok(Math.abs((hot.get(0) ?? 0) - 0.5) < 0.05);
  });
});

suite('token heap', () => {
  test('gives ids by weight, the smaller first among equals', () => {
    const random = seededRandom(9);
    const weights = Float64Array.from({ length: 5000 }, () => Math.floor(random() * 100));
    const expected = [...weights.keys()].sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b);
    assert.deepEqual([...new TokenHeap(new Uint32Array(5000), weights)], expected);
  });
});

suite('seeded random', () => {
  test('is uniform over [0, 1) and differs by every bit of the seed', () => {
    const random = seededRandom(1);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) {
      const bin = Math.floor(random() * 10);
      counts[bin] = (counts[bin] ?? Number.NaN) + 1;
    }
    // Five standard deviations of a bin of 10,000.
    for (const count of counts) assert.ok(Math.abs(count - 10_000) < 475, String(counts));
    const firsts = [0, 1, 2, 0.1, 0.2, -1, 2 ** 32, 2 ** 40].map((seed) => seededRandom(seed)());
    assert.equal(new Set(firsts).size, firsts.length);
  });

  test('gives these numbers on every machine', () => {
    const random = seededRandom(42);
    assert.deepEqual(
      [random(), random(), random()],
      [0.8361799405747219, 0.80589829654287, 0.26548644323319615],
    );
  });
});
