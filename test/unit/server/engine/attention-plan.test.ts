import assert from 'node:assert/strict';
import {
  type AttentionPlan,
  attentionKey,
  reusableTokens,
  type SamplePlan,
  sparseTokensOf,
} from '../../../../server/engine/attention-plan';

const DENSE: AttentionPlan = { kind: 'dense' };
const SAMPLE: SamplePlan = {
  kind: 'sample',
  quality: 'balanced',
  selection: {
    strategy: 'tiles',
    sampledRows: 16,
    pooledKeys: 8,
    score: 'mean',
    alpha: 0.8,
    countForcedMass: false,
    sinkBlocks: 1,
    windowTokens: 512,
    minBlocks: 0,
    maxBlocks: 0,
    denseAbove: 1,
  },
  denseTailTokens: 512,
};

suite('Attention plan', () => {
  test('every parameter of the selection changes the key, the class that chose it does not', () => {
    const changes: Partial<SamplePlan['selection']>[] = [
      { sampledRows: 8 },
      { pooledKeys: 16 },
      { score: 'maximum' },
      { alpha: 0.9 },
      { countForcedMass: true },
      { sinkBlocks: 2 },
      { windowTokens: 1024 },
      { minBlocks: 4 },
      { maxBlocks: 99 },
      { denseAbove: 0.5 },
      { headAlpha: [0, 1] },
      { headAlpha: [1, 0] },
    ];
    const keys = changes.map((change) =>
      attentionKey({ ...SAMPLE, selection: { ...SAMPLE.selection, ...change } }),
    );
    assert.equal(new Set([...keys, attentionKey(SAMPLE), attentionKey(DENSE)]).size, changes.length + 2);
    assert.equal(attentionKey({ ...SAMPLE, quality: 'fast' }), attentionKey(SAMPLE));
    assert.deepEqual(
      Object.keys(SAMPLE.selection).length,
      changes.length - 1,
      'every parameter is tried; alphas of heads twice',
    );
  });

  test('whole tiles before the dense tail run sparse', () => {
    const sparse = (tokens: number) => sparseTokensOf(SAMPLE, tokens);
    assert.deepEqual([1, 512, 639, 640, 1000, 100_000].map(sparse), [0, 0, 0, 128, 384, 99_456]);
    assert.equal(sparseTokensOf(DENSE, 100_000), 0);
  });

  test('dense reuse is exact and leaves the last prompt token', () => {
    const reuse = (sharedTokens: number) =>
      reusableTokens(DENSE, { sharedTokens, keptSparseTokens: 0, promptTokens: 1000 });
    assert.deepEqual([0, 77, 999, 1000].map(reuse), [0, 77, 999, 999]);
  });

  test('sparse reuse keeps only what would be computed alike: no tail, no decoded token, whole tiles', () => {
    const reuse = (sharedTokens: number, keptPrompt: number, promptTokens: number) =>
      reusableTokens(SAMPLE, {
        sharedTokens,
        keptSparseTokens: sparseTokensOf(SAMPLE, keptPrompt),
        promptTokens,
      });
    assert.equal(reuse(5000, 10_000, 10_000), 4992, 'rounded down to the grid');
    assert.equal(reuse(10_000, 10_000, 20_000), 9472, 'not the dense tail of the kept prompt');
    assert.equal(reuse(10_200, 10_000, 20_000), 9472, 'nor its decoded tokens');
    assert.equal(reuse(6000, 10_000, 6001), 5376, 'nor what would now be the dense tail');
    assert.equal(reuse(100, 10_000, 10_000), 0);
  });
});
