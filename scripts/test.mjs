// Runs the tests: every suite, or the ones named. Installs and builds what they need.
//   node scripts/test.mjs [unit|integration|e2e|ui ...] [--only TEXT] [--vsix FILE]
//     --only TEXT   only files whose path contains TEXT
//     --vsix FILE   e2e and ui against that package, installed into an empty profile
//   TEST_HOST=npm|desktop|auto   the VS Code that e2e runs in
// The last line is `N passed, N failed`; whatever is wrong outside a test counts as one failure.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';

ensureInstalled();
const { failure, sum } = await import('./testing/outcome.mjs');
const { SUITES } = await import('./testing/suites.mjs');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', default: '' }, vsix: { type: 'string' } },
});
const names = positionals.length ? positionals : Object.keys(SUITES);
const unknown = names.filter((name) => !(name in SUITES));
if (unknown.length) {
  process.stderr.write(
    `No suite is called ${unknown.join(', ')}. Suites: ${Object.keys(SUITES).join(', ')}\n`,
  );
  process.exit(2);
}

const outcomes = [];
for (const name of names) {
  const startedMs = Date.now();
  process.stdout.write(`\n== ${name} ==\n`);
  const outcome = await runSuite(name);
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(0);
  process.stdout.write(`== ${name}: ${words(outcome)} in ${seconds} s ==\n`);
  outcomes.push(outcome);
}
const total = sum(outcomes);
process.stdout.write(`\n${words(total)}\n`);
process.exit(total.failed ? 1 : 0);

async function runSuite(name) {
  try {
    return await SUITES[name]({ only: values.only, vsix: values.vsix && path.resolve(values.vsix) });
  } catch (error) {
    return failure(`${name}: ${error.stack}`);
  }
}

function words({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`;
}
