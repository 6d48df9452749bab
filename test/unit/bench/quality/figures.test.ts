import assert from 'node:assert/strict';
import { compare, densePosition } from '../../../../bench/quality/agreement';
import { crossing } from '../../../../bench/quality/break-even';
import { peerRows } from '../../../../bench/quality/dense-peer';
import { pointsOf } from '../../../../bench/quality/front';
import type { CellOutcome, Outcome } from '../../../../bench/quality/measure';
import { groupsOf, keptOf, rowsOf } from '../../../../bench/quality/rows';
import { wilson } from '../../../../bench/quality/statistics';

const outcome = (configuration: string, prefillMs: number, rights: boolean[]): Outcome => ({
  configuration,
  attention: configuration,
  prefillMs,
  attentionMs: prefillMs / 2,
  selectionMs: prefillMs / 20,
  density: 0.1,
  answers: rights.map((right, i) => ({ task: 'needle', depth: i / rights.length, right })),
});
const cell = (lengthTokens: number, outcomes: Outcome[]): CellOutcome => ({
  cell: 'a-1',
  language: 'python',
  lengthTokens,
  prefixTokens: lengthTokens - 400,
  layers: 4,
  heads: 2,
  outcomes,
});

suite('bench/quality figures', () => {
  test("Wilson's interval", () => {
    // Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611.
    const some = wilson(81, 263);
    assert.deepEqual([some.low.toFixed(4), some.high.toFixed(4)], ['0.2553', '0.3662']);
    const none = wilson(0, 20);
    assert.deepEqual([none.low, none.high.toFixed(4)], [0, '0.1611']);
  });

  test('divergence and agreement against dense', () => {
    const dense = densePosition(Float32Array.from([Math.log(0.5), Math.log(0.25), Math.log(0.25), 99]), 3);
    const sum = { positions: 0, sameTop: 0, klSum: 0 };
    compare(dense, Float32Array.from([1 + Math.log(0.5), 1 + Math.log(0.25), 1 + Math.log(0.25), 0]), sum);
    assert.ok(Math.abs(sum.klSum) < 1e-6, 'a shift of all logits changes nothing');
    compare(dense, Float32Array.from([Math.log(0.25), Math.log(0.5), Math.log(0.25), 0]), sum);
    // 0.5 ln(0.5 / 0.25) + 0.25 ln(0.25 / 0.5)
    assert.ok(Math.abs(sum.klSum - 0.25 * Math.LN2) < 1e-6, String(sum.klSum));
    assert.deepEqual([sum.positions, sum.sameTop], [2, 1]);
  });

  test('the front has what nothing else beats in both time and answers', () => {
    const dense = outcome('dense', 100, [true, true, true, true]);
    const points = pointsOf([
      cell(1000, [
        dense,
        outcome('slow', 50, [true, true, true, true]),
        outcome('beaten', 60, [true, true, true, false]),
        outcome('quick', 20, [true, false, false, false]),
      ]),
      cell(2000, [dense, outcome('beaten', 60, [true, true, true, false])]),
    ]);
    const front = points.filter(({ isOnFront }) => isOnFront);
    assert.deepEqual(
      front.map(({ configuration, lengthTokens }) => `${configuration} ${lengthTokens}`),
      ['slow 1000', 'quick 1000', 'beaten 2000'],
    );
  });

  test('the break-even length is where the last loss ends', () => {
    const lengths = [1000, 2000, 3000, 4000];
    assert.equal(crossing(lengths, [10, 20, 30, 40], [12, 19, 31, 37]), 3250);
    assert.equal(crossing(lengths, [10, 20, 30, 40], [9, 19, 29, 39]), 1000);
    assert.equal(crossing(lengths, [10, 20, 30, 40], [9, 19, 29, 41]), undefined);
  });

  test('rows name the share, its interval and what it is made of', () => {
    const dense = outcome('dense', 100, [true, true, true, false]);
    const [group] = groupsOf([cell(32_000, [dense, outcome('balanced', 25, [true, true, false])])]);
    assert.ok(group);
    assert.deepEqual([keptOf(group).right, keptOf(group).of], [2, 3]);
    const rows = rowsOf(group);
    const [retrieval] = rows;
    assert.equal(retrieval?.id, 'quality.balanced.retrieval.32k');
    assert.match(retrieval.note ?? '', /kept of the 3 that dense gets right of 4.*needle 2\/3/);
    assert.equal(rows.find(({ id }) => id === 'quality.balanced.prefill.32k')?.ratio, 4);
  });

  test('attention beside a dense kernel: a layer of balanced, and the share of choosing', () => {
    const cells = [cell(32_000, [outcome('dense', 80, [true]), outcome('balanced', 40, [true])])];
    const [balanced] = groupsOf(cells);
    const peer = {
      peer: 'dense kernel',
      layers: [
        { tokens: 128_000, layerMs: 70 },
        { tokens: 31_000, layerMs: 10 },
      ],
    };
    const rows = peerRows(balanced!, peer);
    assert.deepEqual(
      rows.map(({ id, value }) => [id, value]),
      [
        ['attention.sample.32k', 0.005],
        ['attention.sample.selection_share.32k', 0.1],
      ],
    );
    assert.equal(rows[0]?.ratio, 2);
    assert.deepEqual(peerRows({ ...balanced!, configuration: 'fast' }, peer), []);
  });
});
