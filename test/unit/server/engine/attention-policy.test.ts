import assert from 'node:assert/strict';
import { planAttention, selectionOf } from '../../../../server/engine/attention-policy';
import { alphasByHead, measurementOf } from '../../../../server/engine/retrieval-heads/retrieval-heads';

const MEASURED = { name: 'Qwen2.5 Coder 1.5B Instruct GGUF', layerCount: 28, headCount: 12 };
const LONG = 100_000;
const BREAK_EVEN = 12_000;

suite('Attention policy', () => {
  const kind = (attention: 'auto' | 'dense' | 'sample', tokens: number, unavailable?: string) =>
    planAttention(
      { attention, quality: 'balanced' },
      tokens,
      { ...(unavailable && { sampleUnavailable: unavailable }) },
      BREAK_EVEN,
    ).kind;

  test('auto reads with sample attention from the break-even length on, where it can', () => {
    assert.equal(kind('auto', BREAK_EVEN - 1), 'dense');
    assert.equal(kind('auto', BREAK_EVEN), 'sample');
    assert.equal(kind('auto', LONG, 'there is no GPU'), 'dense');
  });

  test('what is asked for by name is done at any length, or refused with the reason', () => {
    assert.equal(kind('dense', LONG), 'dense');
    assert.equal(kind('sample', 10), 'sample');
    assert.throws(() => kind('sample', LONG, 'there is no GPU'), {
      code: 'attentionUnavailable',
      message: /there is no GPU/,
    });
  });

  test('the quality class decides the selection; balanced reads more than fast', () => {
    for (const spec of [undefined, MEASURED]) {
      const [fast, balanced] = (['fast', 'balanced'] as const).map((quality) => {
        const plan = planAttention({ attention: 'sample', quality }, LONG, { ...(spec && { spec }) });
        assert.ok(plan.kind === 'sample');
        assert.deepEqual([plan.quality, plan.selection], [quality, selectionOf(quality, spec)]);
        return plan.selection;
      });
      assert.ok(balanced!.alpha > fast!.alpha);
    }
  });

  test('retrieval heads of a measured model read more than its other heads; nobody else has alphas by head', () => {
    const { alpha, headAlpha = [] } = selectionOf('balanced', MEASURED);
    assert.equal(headAlpha.length, MEASURED.layerCount * MEASURED.headCount);
    assert.deepEqual([...new Set(headAlpha)].sort(), [alpha, Math.max(...headAlpha)].sort());
    assert.ok(Math.max(...headAlpha) > alpha);
    const others = [{ ...MEASURED, name: 'Qwen2.5 Coder 3B' }, { ...MEASURED, layerCount: 36 }, undefined];
    for (const model of others) assert.equal(selectionOf('balanced', model).headAlpha, undefined);
  });

  test('retrieval heads are those that lose most', () => {
    const lossNats = [
      [0, 3, 1],
      [2, 0, 4],
    ];
    assert.deepEqual(alphasByHead({ lossNats }, 2, 1, 0.5), [0.5, 1, 0.5, 0.5, 0.5, 1]);
    assert.deepEqual(alphasByHead({ lossNats }, 0, 1, 0.5), [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
  });

  test('a model is known by its name in a GGUF file and by that of its folder', () => {
    const folder = { ...MEASURED, name: 'qwen2.5-coder-1.5b-instruct' };
    assert.deepEqual(selectionOf('balanced', folder), selectionOf('balanced', MEASURED));
  });

  test('every head of a measured model has its loss', () => {
    const measured = measurementOf(MEASURED);
    assert.ok(measured);
    assert.equal(measured.lossNats.length, MEASURED.layerCount);
    for (const layer of measured.lossNats) assert.equal(layer.length, MEASURED.headCount);
  });
});
