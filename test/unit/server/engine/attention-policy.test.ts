import assert from 'node:assert/strict';
import { planAttention, SELECTIONS } from '../../../../server/engine/attention-policy';

const LONG = 100_000;
const BREAK_EVEN = 12_000;

suite('Attention policy', () => {
  const kind = (attention: 'auto' | 'dense' | 'sample', tokens: number, unavailable?: string) =>
    planAttention({ attention, quality: 'balanced' }, tokens, unavailable, BREAK_EVEN).kind;

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
    for (const quality of ['fast', 'balanced'] as const) {
      const plan = planAttention({ attention: 'sample', quality }, LONG, undefined);
      assert.ok(plan.kind === 'sample');
      assert.deepEqual([plan.quality, plan.selection], [quality, SELECTIONS[quality]]);
    }
    assert.ok(SELECTIONS.balanced.alpha > SELECTIONS.fast.alpha);
  });
});
