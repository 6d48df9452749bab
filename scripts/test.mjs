// Runs the tests: every suite, or the ones named.
//   node scripts/test.mjs [unit|integration|e2e ...] [--only TEXT]     --only: files whose path contains TEXT
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, buildTests } from './build.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', default: '' } },
});
const suites = positionals.length ? positionals : ['unit', 'integration', 'e2e'];

function testFiles(suite) {
  return fs
    .readdirSync(path.join(root, 'test', suite), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => path.join('test', suite, name))
    .filter((name) => name.includes(values.only));
}

async function mocha(suite) {
  const files = testFiles(suite);
  if (!files.length) throw new Error(`no test of suite ${suite} has "${values.only}" in its path`);
  const compiled = await buildTests(files);
  const args = [
    '--enable-source-maps',
    'node_modules/mocha/bin/mocha.js',
    '--ui',
    'tdd',
    '--timeout',
    suite === 'unit' ? '20000' : '300000',
  ];
  return spawnSync(process.execPath, [...args, ...compiled], { cwd: root, stdio: 'inherit' }).status ?? 1;
}

let failed = 0;
if (suites.some((suite) => suite !== 'unit')) await build();
for (const suite of suites) failed |= await mocha(suite);
process.exit(failed);
