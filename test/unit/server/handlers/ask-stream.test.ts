import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { AskEvent } from '../../../../protocol';
import { AskStream, TOKEN_BATCH_MS } from '../../../../server/handlers/ask-stream';

function setup() {
  const batches: AskEvent[][] = [];
  const stream = new AskStream((events) => batches.push(events));
  return { batches, stream, events: () => batches.flat() };
}

const textOf = (events: AskEvent[]) =>
  events.map((event) => (event.kind === 'token' ? event.text : '')).join('');

suite('AskStream', () => {
  test('sends the first text at once and gathers what follows', async () => {
    const { batches, stream } = setup();
    stream.emit({ kind: 'token', text: 'a' });
    assert.deepEqual(batches, [[{ seq: 0, kind: 'token', text: 'a' }]]);
    for (const text of ['b', 'c', 'd']) stream.emit({ kind: 'token', text });
    assert.equal(batches.length, 1);
    await delay(4 * TOKEN_BATCH_MS);
    assert.deepEqual(batches[1], [{ seq: 1, kind: 'token', text: 'bcd' }]);
    stream.end();
    assert.equal(batches.length, 2);
  });

  test('keeps text before the event that follows it, and numbers without gaps', () => {
    const { events, stream } = setup();
    stream.emit({ kind: 'queued', ahead: 1 });
    for (const text of ['a', 'b', 'c']) stream.emit({ kind: 'token', text });
    stream.emit({ kind: 'stage', stage: 'load' });
    stream.emit({ kind: 'token', text: 'd' });
    stream.end();
    assert.equal(textOf(events()), 'abcd');
    assert.deepEqual(
      events().map(({ seq }) => seq),
      [0, 1, 2, 3, 4],
    );
    assert.deepEqual(
      events().map(({ kind }) => kind),
      ['queued', 'token', 'token', 'stage', 'token'],
    );
  });

  test('sends nothing after the end', async () => {
    const { batches, stream } = setup();
    stream.emit({ kind: 'token', text: 'a' });
    stream.emit({ kind: 'token', text: 'b' });
    stream.end();
    const sent = batches.length;
    stream.emit({ kind: 'stage', stage: 'load' });
    stream.emit({ kind: 'token', text: 'c' });
    await delay(3 * TOKEN_BATCH_MS);
    assert.equal(batches.length, sent);
    assert.equal(textOf(batches.flat()), 'ab');
  });
});
