import assert from 'node:assert/strict';
import { judge, judgeEnded } from '../../../../bench/quality/answer-check';

suite('bench/quality answers', () => {
  test('are decided by the first character that differs, and right only when they end where they should', () => {
    assert.equal(judge('48', '48213'), 'undecided');
    assert.equal(judge('48213', '48213'), 'undecided', 'it may go on');
    assert.equal(judge('48213`', '48213'), 'right');
    assert.equal(judge('482137', '48213'), 'wrong');
    assert.equal(judge('49', '48213'), 'wrong');
    assert.equal(judge('get_items', 'get_item'), 'wrong');
    assert.equal(judge('get_item(', 'get_item'), 'right');
  });

  test('may stand behind a quote', () => {
    assert.equal(judge('"amber-fjord-12"', 'amber-fjord-12'), 'right');
    assert.equal(judge(' `"', 'amber-fjord-12'), 'undecided');
  });

  test('that end are right only when they are whole', () => {
    assert.equal(judgeEnded('48213', '48213'), 'right');
    assert.equal(judgeEnded('4821', '48213'), 'wrong');
    assert.equal(judgeEnded('', '48213'), 'wrong');
  });
});
