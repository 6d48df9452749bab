import assert from 'node:assert/strict';
import { ComputeCost } from '../../../../server/engine/prefix-cache/compute-cost';
import { RestoreChoice } from '../../../../server/engine/prefix-cache/restore-choice';

const BAND = 4096;

suite('ComputeCost', () => {
  test('knows nothing before a chunk was measured, nor of another attention', () => {
    const cost = new ComputeCost();
    assert.equal(cost.estimateMs('dense', 0, 100), undefined);
    cost.observe('dense', 0, 1000, 500);
    assert.equal(cost.estimateMs('dense', 0, 100), 50);
    assert.equal(cost.estimateMs('sample/tiles', 0, 100), undefined);
  });

  test('a token deep in a prompt takes what it took there, or nearest to there', () => {
    const cost = new ComputeCost();
    cost.observe('dense', 0, BAND, BAND * 1);
    cost.observe('dense', 10 * BAND, BAND, BAND * 5);
    assert.equal(cost.estimateMs('dense', 0, BAND), BAND);
    assert.equal(cost.estimateMs('dense', 10 * BAND, 10 * BAND + 100), 500);
    assert.equal(cost.estimateMs('dense', 2 * BAND, 2 * BAND + 100), 100);
    assert.equal(cost.estimateMs('dense', 9 * BAND, 9 * BAND + 100), 500);
    assert.equal(cost.estimateMs('dense', 30 * BAND, 30 * BAND + 100), 500);
    assert.equal(cost.estimateMs('dense', BAND - 10, BAND + 10), 20);
  });

  test('a chunk over several bands tells of each, and the newest counts most', () => {
    const cost = new ComputeCost();
    cost.observe('dense', 0, 4 * BAND, 4 * BAND * 2);
    cost.observe('dense', BAND, BAND, BAND * 4);
    assert.equal(cost.estimateMs('dense', 0, 10), 20);
    assert.equal(cost.estimateMs('dense', BAND, BAND + 10), 30);
    assert.equal(cost.estimateMs('dense', 3 * BAND, 3 * BAND + 10), 20);
  });

  test('a chunk of a few tokens tells what a call costs, and is not counted', () => {
    const cost = new ComputeCost();
    cost.observe('dense', 0, 5, 1000);
    assert.equal(cost.estimateMs('dense', 0, 100), undefined);
  });
});

suite('RestoreChoice', () => {
  const BLOCK = 128;
  const cost = (msPerToken: number) => {
    const known = new ComputeCost();
    known.observe('dense', 0, 1000, 1000 * msPerToken);
    return known;
  };
  const choiceOf = (known: ComputeCost, blocksMs: number[]) => {
    const choice = new RestoreChoice(known, 'dense', BLOCK);
    for (const ms of blocksMs) choice.noteBlock(ms);
    return choice;
  };

  test('a probe comes first, whatever it costs', () => {
    assert.equal(
      choiceOf(cost(0.001), Array<number>(7).fill(1000)).againstRestoring(7 * BLOCK, 100_000),
      undefined,
    );
  });

  test('without a measure of computing, what is kept is brought back', () => {
    assert.equal(
      choiceOf(new ComputeCost(), Array<number>(8).fill(1000)).againstRestoring(0, 100_000),
      undefined,
    );
  });

  test('the slower way is told with what each would take', () => {
    const slow = choiceOf(cost(0.01), Array<number>(8).fill(12));
    assert.deepEqual(slow.againstRestoring(1000, 11_000), { restoreMs: 937.5, computeMs: 100 });
    const quick = choiceOf(cost(0.01), Array<number>(8).fill(0.128));
    assert.equal(quick.againstRestoring(1000, 11_000), undefined);
  });

  test('the last blocks decide: a disk that becomes slow in the middle is left', () => {
    const choice = choiceOf(cost(0.01), Array<number>(100).fill(0.128));
    assert.equal(choice.againstRestoring(0, 10_000), undefined);
    for (let block = 0; block < 8; block++) choice.noteBlock(50);
    assert.ok(choice.againstRestoring(0, 10_000));
  });
});
