// Runs a compiled mocha suite in a Node process of its own.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../host/paths.mjs';
import { outcomeOf } from './outcome.mjs';

/**
 * @param {object} suite
 * @param {string} suite.name
 * @param {string[]} suite.compiled   compiled test files
 * @param {number} suite.testLimitMs  limit of one test
 * @param {number} suite.limitMs      limit of them all; what still runs then is killed and counts as failed
 * @param {Record<string, string>} [suite.env]
 */
export function runNodeSuite({ name, compiled, testLimitMs, limitMs, env = {} }) {
  const temp = fs.mkdtempSync(path.join(os.tmpdir(), 'lv-stats-'));
  const statsFile = path.join(temp, 'stats.json');
  const mocha = [
    ...['--enable-source-maps', 'node_modules/mocha/bin/mocha.js', '--ui', 'tdd', '--forbid-only'],
    ...['--timeout', String(testLimitMs), '--reporter', path.join(root, 'scripts/testing/reporter.cjs')],
  ];
  try {
    const { status, signal } = spawnSync(process.execPath, [...mocha, ...compiled], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env, TEST_STATS: statsFile },
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    return outcomeOf(name, statsFile, signal ?? status);
  } finally {
    fs.rmSync(temp, { recursive: true, force: true });
  }
}
