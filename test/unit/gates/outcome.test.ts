import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Outcome } from '../../../scripts/testing/outcome.mjs';

/** A runner that takes a crash for a success makes every other test worthless. */
suite('counting a suite', () => {
  let temp: string;
  let outcomeOf: (name: string, statsFile: string, exitCode: number | string | null) => Outcome;

  suiteSetup(async () => {
    temp = fs.mkdtempSync(path.join(os.tmpdir(), 'lv-outcome-'));
    ({ outcomeOf } = await import('../../../scripts/testing/outcome.mjs'));
  });
  suiteTeardown(() => {
    fs.rmSync(temp, { recursive: true });
  });

  const stats = (passes: number, failures: number, pending = 0): string => {
    const file = path.join(temp, 'stats.json');
    fs.writeFileSync(file, JSON.stringify({ tests: passes + failures + pending, passes, failures, pending }));
    return file;
  };

  test('takes the numbers of a suite that ran', () => {
    assert.deepEqual(outcomeOf('s', stats(3, 0, 1), 0), { passed: 3, failed: 0, skipped: 1 });
    assert.deepEqual(outcomeOf('s', stats(3, 2), 2), { passed: 3, failed: 2, skipped: 0 });
  });

  test('counts a process that left no numbers as a failure, even with exit code 0', () => {
    const missing = path.join(temp, 'missing.json');
    for (const code of [0, 1, 'SIGKILL', 'timeout']) {
      assert.deepEqual(outcomeOf('s', missing, code), { passed: 0, failed: 1, skipped: 0 });
    }
  });

  test('counts a suite in which no test ran as a failure', () => {
    assert.equal(outcomeOf('s', stats(0, 0), 0).failed, 1);
    assert.equal(outcomeOf('s', stats(0, 0, 4), 0).failed, 1);
  });

  test('counts a bad exit without a failed test as a failure', () => {
    assert.deepEqual(outcomeOf('s', stats(3, 0), 1), { passed: 3, failed: 1, skipped: 0 });
  });
});
