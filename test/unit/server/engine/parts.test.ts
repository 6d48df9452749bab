import assert from 'node:assert/strict';
import { PrefillPace, planPrefill } from '../../../../server/engine/prefill-schedule';
import { Scheduler } from '../../../../server/engine/scheduler';
import { Sequence } from '../../../../server/engine/sequence';
import { StopMatcher } from '../../../../server/engine/stop-matcher';
import { TtftClock } from '../../../../server/engine/ttft-clock';

suite('planPrefill', () => {
  test('covers exactly what is not cached, in full chunks and one rest', () => {
    for (let total = 1; total < 40; total++)
      for (let cached = 0; cached < total; cached++) {
        const chunks = planPrefill(total, cached, 7);
        let next = cached;
        for (const { start, end } of chunks) {
          assert.equal(start, next);
          assert.ok(end > start && end - start <= 7);
          next = end;
        }
        assert.equal(next, total);
        assert.equal(chunks.length, Math.ceil((total - cached) / 7));
      }
  });

  test('refuses a chunk of no tokens', () => {
    assert.throws(() => planPrefill(10, 0, 0), RangeError);
  });
});

suite('PrefillPace', () => {
  test('knows nothing at first, then follows the newest chunk most', () => {
    const pace = new PrefillPace();
    assert.equal(pace.etaMs(10), undefined);
    pace.observe(10, 10);
    assert.equal(pace.etaMs(10), 10);
    pace.observe(10, 20);
    const eta = pace.etaMs(10)!;
    assert.ok(eta > 15 && eta < 20, String(eta));
    assert.equal(pace.etaMs(0), 0);
  });
});

suite('Sequence', () => {
  test('finds the longest shared prefix', () => {
    const sequence = new Sequence(1, 10);
    sequence.append([1, 2, 3, 4]);
    assert.equal(sequence.sharedWith(Int32Array.from([1, 2, 9, 4, 5])), 2);
    assert.equal(sequence.sharedWith(Int32Array.from([1, 2, 3, 4, 5])), 4);
    assert.equal(sequence.sharedWith(Int32Array.from([1, 2, 3, 4])), 4);
    assert.equal(sequence.sharedWith(Int32Array.from([7])), 0);
    sequence.rewind(2);
    assert.equal(sequence.sharedWith(Int32Array.from([1, 2, 3, 4, 5])), 2);
  });

  test('rewinds only backwards', () => {
    const sequence = new Sequence(1, 10);
    sequence.append([1]);
    assert.throws(() => sequence.rewind(2), RangeError);
  });
});

suite('StopMatcher', () => {
  const feed = (stops: string[], pieces: string[]) => {
    const matcher = new StopMatcher(stops);
    let shown = '';
    for (const piece of pieces) {
      const { text, stopped } = matcher.push(piece);
      shown += text;
      if (stopped) return { shown, stopped };
    }
    return { shown: shown + matcher.flush(), stopped: false };
  };

  test('finds a stop sequence wherever the token borders are', () => {
    const text = 'abc<|stop|>def';
    for (let first = 0; first <= text.length; first++)
      for (let second = first; second <= text.length; second++) {
        const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)];
        assert.deepEqual(feed(['<|stop|>'], pieces), { shown: 'abc', stopped: true });
      }
  });

  test('shows what only looked like a stop sequence', () => {
    assert.deepEqual(feed(['END.'], ['the E', 'N', 'D of it, EN']), {
      shown: 'the END of it, EN',
      stopped: false,
    });
  });

  test('takes the earliest of several', () => {
    assert.equal(feed(['two', 'one'], ['one two']).shown, '');
    assert.equal(feed(['aab'], ['a', 'a', 'a', 'b']).shown, 'a');
  });
});

suite('Scheduler', () => {
  test('tells every change of position and grants in order', async () => {
    const scheduler = new Scheduler();
    const log: string[] = [];
    const take = (name: string) => {
      const ticket = scheduler.enqueue((ahead) => log.push(`${name}${ahead}`));
      void ticket.granted.then(() => log.push(`${name}!`));
      return ticket;
    };
    const [a, b, c] = [take('a'), take('b'), take('c')];
    assert.equal(scheduler.waiting, 2);
    b.release();
    b.release();
    assert.equal(scheduler.waiting, 1);
    a.release();
    await c.granted;
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(log, ['b1', 'c2', 'c1', 'a!', 'c!']);
    assert.equal(b.isGranted, false);
  });
});

suite('TtftClock', () => {
  const clockAt = (times: number[]) => new TtftClock(() => times.shift()!);

  test('stages sum up to the TTFT when packing outlasts waiting and loading', () => {
    const clock = clockAt([100, 110, 130, 150, 450, 460, 1000]);
    for (const moment of ['turn', 'model', 'prompt', 'prefilled', 'firstToken', 'finished'] as const)
      clock.mark(moment);
    const stages = clock.stages(7);
    assert.deepEqual(stages, {
      context: 50,
      tokenize: 7,
      queue: 0,
      load: 0,
      prefill: 300,
      firstToken: 10,
    });
    assert.equal(clock.ttftMs, 360);
    // `tokenize` is a part of `context`.
    const { context, queue, load, prefill, firstToken } = stages;
    assert.equal(context + queue + load + prefill + firstToken, clock.ttftMs);
    assert.equal(clock.decodeMs, 540);
  });

  test('charges waiting and loading only with what packing did not hide', () => {
    const clock = clockAt([0, 20, 50, 90, 100, 101, 102]);
    for (const moment of ['prompt', 'turn', 'model', 'prefilled', 'firstToken', 'finished'] as const)
      clock.mark(moment);
    const { context, queue, load } = clock.stages(0);
    assert.deepEqual({ context, queue, load }, { context: 20, queue: 30, load: 40 });
  });

  test('only the first mark of a moment counts, and a missing one is an error', () => {
    const clock = clockAt([0, 5, 9]);
    clock.mark('firstToken');
    clock.mark('firstToken');
    assert.equal(clock.ttftMs, 5);
    assert.throws(() => clock.decodeMs, /finished/);
  });
});
