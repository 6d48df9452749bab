// Asks a question about a repository, from a bare clone on: installs, builds, fetches the model, answers.
//   npm start [-- --repo DIR --model ID|PATH --json … "question"]     the flags are those of `longview ask`
// npm prints a heading on stdout; where only the answer is wanted: npm start --silent -- --json "question"
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
/** Names one class, so that even the smallest model finds its file, reads it and says something true. */
const BUILT_IN_QUESTION =
  'How does StopMatcher recognise a stop sequence in an answer, and in which file is it defined?';

/** What the bundles are made from, and what tells that they were made. */
const SOURCES = ['protocol', 'src', 'server', 'media', 'scripts/build.mjs', 'package-lock.json'];
const BUNDLES = [
  'cli.js',
  'server.js',
  'context-worker.js',
  'scan-worker.js',
  'engine-host.js',
  'extension.js',
  'list-worker.js',
];

/** Flags of `longview ask` that take a value: only with them known can the question be told from the rest. */
const FLAGS_WITH_VALUE = [
  'repo',
  'model',
  'gpu',
  'precision',
  'attention',
  'device',
  'context',
  'max-tokens',
];

const given = process.argv.slice(2);
try {
  ensureInstalled();
  if (isOutOfDate()) {
    const { build } = await import('./build.mjs');
    await build();
  }
  process.exitCode = await ask(hasQuestion(given) ? given : builtInQuestion());
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

function hasQuestion(args) {
  const options = Object.fromEntries(FLAGS_WITH_VALUE.map((name) => [name, { type: 'string' }]));
  const { values, positionals } = parseArgs({ args, options, strict: false, allowPositionals: true });
  return positionals.length > 0 || values.help === true || values.version === true;
}

/** About this repository, unless the user names another one. */
function builtInQuestion() {
  const about = given.some((flag) => flag.startsWith('--repo')) ? [] : ['--repo', root];
  process.stderr.write(`${BUILT_IN_QUESTION}\n\n`);
  return [...given, ...about, BUILT_IN_QUESTION];
}

/** Whether a source has changed since the oldest bundle was written. */
function isOutOfDate() {
  const builtAt = BUNDLES.map((name) => changedAt(path.join(root, 'out', name)) ?? 0);
  const oldest = Math.min(...builtAt);
  return SOURCES.some((name) => newestIn(path.join(root, name)) > oldest);
}

function newestIn(file) {
  const own = changedAt(file) ?? 0;
  if (!fs.statSync(file, { throwIfNoEntry: false })?.isDirectory()) return own;
  const times = fs
    .readdirSync(file, { recursive: true })
    .map((name) => changedAt(path.join(file, name)) ?? 0);
  return Math.max(own, ...times);
}

function changedAt(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

/** Runs `longview ask` where the user stands: npm moves scripts to the checkout. */
async function ask(args) {
  const child = spawn(process.execPath, [path.join(root, 'out/cli.js'), 'ask', ...args], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    stdio: 'inherit',
  });
  // Ctrl-C reaches both; the answer decides how this ends.
  process.on('SIGINT', () => undefined);
  const [code] = await once(child, 'exit');
  return code ?? 1;
}
