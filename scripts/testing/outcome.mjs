// What a suite came to, from the numbers its reporter wrote and from how its process ended.
import fs from 'node:fs';

/**
 * @typedef {{passed: number, failed: number, skipped: number}} Outcome
 */

/** Sums outcomes. */
export function sum(outcomes) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const outcome of outcomes) for (const key of Object.keys(total)) total[key] += outcome[key];
  return total;
}

/** One failure that belongs to no test; the reason goes to stderr. */
export function failure(reason) {
  process.stderr.write(`\n${reason}\n`);
  return { passed: 0, failed: 1, skipped: 0 };
}

/**
 * Counts the tests of one process. A missing file, no test at all and a bad exit without a failed test each
 * count as one failure.
 * @returns {Outcome}
 */
export function outcomeOf(name, statsFile, exitCode) {
  if (!fs.existsSync(statsFile))
    return failure(`${name}: ended before its tests did (exit code ${exitCode})`);
  const { passes, failures, pending } = JSON.parse(fs.readFileSync(statsFile, 'utf8'));
  const outcome = { passed: passes, failed: failures, skipped: pending };
  if (passes + failures === 0) return sum([outcome, failure(`${name}: no test ran`)]);
  if (exitCode !== 0 && failures === 0) {
    return sum([outcome, failure(`${name}: exit code ${exitCode} although no test failed`)]);
  }
  return outcome;
}
