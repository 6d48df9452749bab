import assert from 'node:assert/strict';
import { CrashWindow } from '../../../../src/client/crash-window';

suite('CrashWindow', () => {
  test('allows four crashes in three minutes, not five', () => {
    let now = 0;
    const crashes = new CrashWindow(() => (now += 1000));
    assert.deepEqual(
      Array.from({ length: 5 }, () => crashes.record()),
      [true, true, true, true, false],
    );
    assert.equal(crashes.count, 5);
    crashes.clear();
    assert.equal(crashes.record(), true);
  });

  test('forgets crashes that lie back', () => {
    let now = 0;
    const crashes = new CrashWindow(() => now);
    for (let crash = 0; crash < 5; crash++) crashes.record();
    now = 3 * 60_000;
    assert.equal(crashes.record(), true);
    assert.equal(crashes.count, 1);
  });
});
