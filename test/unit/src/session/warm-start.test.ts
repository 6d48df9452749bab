import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { WarmStart } from '../../../../src/session/warm-start';

suite('WarmStart', () => {
  function start(isWanted: boolean, open: () => Promise<void> = () => Promise.resolve()) {
    let opened = 0;
    const warned: string[] = [];
    const server = {
      open: () => {
        opened++;
        return open();
      },
    };
    const warmStart = new WarmStart(
      server,
      () => isWanted,
      (message) => warned.push(message),
      5,
    );
    return { warmStart, warned, opened: () => opened };
  }

  test('starts the server when the editor has started, once', async () => {
    const { opened } = start(true);
    assert.equal(opened(), 0);
    await delay(40);
    assert.equal(opened(), 1);
  });

  test('starts nothing when it is off, or when the window closes before', async () => {
    const off = start(false);
    const closed = start(true);
    closed.warmStart.dispose();
    await delay(40);
    assert.deepEqual([off.opened(), closed.opened()], [0, 0]);
  });

  test('a server that does not start is a line in the log, nothing more', async () => {
    const { warned } = start(true, () => Promise.reject(new Error('no room')));
    await delay(40);
    assert.equal(warned.length, 1);
    assert.match(warned[0]!, /no room/);
  });
});
