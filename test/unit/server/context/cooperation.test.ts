import assert from 'node:assert/strict';
import { Breather, forEachBounded } from '../../../../server/context/cooperation';
import { CancelledError } from '../../../../server/errors';

suite('cooperation', () => {
  test('long work lets other work have its turn once a slice of time is over, not before', async () => {
    let nowMs = 0;
    let turns = 0;
    const breather = new Breather(new AbortController().signal, () => nowMs);
    setImmediate(() => turns++);
    await breather.breathe();
    assert.equal(turns, 0);
    nowMs = 1000;
    await breather.breathe();
    assert.equal(turns, 1);
  });

  test('a stop is heard before and after other work had its turn', async () => {
    let nowMs = 0;
    const controller = new AbortController();
    const breather = new Breather(controller.signal, () => nowMs);
    nowMs = 1000;
    setImmediate(() => controller.abort());
    await assert.rejects(breather.breathe(), CancelledError);
    await assert.rejects(breather.breathe(), CancelledError);
  });

  test('bounded work visits every item, never more than the limit at a time, and ends at a failure', async () => {
    let running = 0;
    let most = 0;
    const seen: number[] = [];
    await forEachBounded([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      seen.push(item);
      running--;
    });
    assert.deepEqual(
      seen.toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5, 6, 7],
    );
    assert.equal(most, 3);
    await assert.rejects(
      forEachBounded([1, 2], 1, () => Promise.reject(new Error('disk'))),
      /disk/,
    );
  });
});
