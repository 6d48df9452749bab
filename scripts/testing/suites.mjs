// The test ladder: each suite by name, from the fastest to the one nearest to a person.
import fs from 'node:fs';
import path from 'node:path';
import { build, buildTests } from '../build.mjs';
import { ensureHost } from '../host/install.mjs';
import { root } from '../host/paths.mjs';
import { chooseHost, runHostWindow } from './host-suite.mjs';
import { ensureModels, FAST_MODEL, TRUTH_MODEL } from './models.mjs';
import { runNodeSuite } from './node-suite.mjs';
import { sum } from './outcome.mjs';
import { windowsIn } from './windows.mjs';

const MINUTE_MS = 60_000;

/** Suites in the order in which they run; each takes `{only, vsix}` and returns its outcome. */
export const SUITES = { unit, integration, e2e, ui };

/** Pure code and small pieces; no network, no model. */
async function unit({ only }) {
  const compiled = await compile('unit', only);
  return runNodeSuite({ name: 'unit', compiled, testLimitMs: 20_000, limitMs: 8 * MINUTE_MS });
}

/** The real server and engine host as processes, with real models. */
async function integration({ only }) {
  await buildOnce();
  const compiled = await compile('integration', only);
  ensureModels([FAST_MODEL, TRUTH_MODEL]);
  return runNodeSuite({ name: 'integration', compiled, testLimitMs: 5 * MINUTE_MS, limitMs: 20 * MINUTE_MS });
}

/** Mocha inside the extension host of a real VS Code. */
async function e2e({ only, vsix }) {
  if (!vsix) await buildOnce();
  const compiled = await compile('e2e/suite', only);
  const [entry] = await buildTests(['test/e2e/suite/index.ts']);
  ensureModels([FAST_MODEL]);
  const host = await chooseHost();
  if (host.kind === 'npm') ensureHost();
  const outcomes = [];
  for (const { dispose, ...window } of windowsIn(compiled)) {
    try {
      outcomes.push(await runHostWindow(host, window, { entry, vsix }));
    } finally {
      dispose();
    }
  }
  return sum(outcomes);
}

/** A person's way: Playwright drives the workbench. */
async function ui({ only, vsix }) {
  await buildOnce();
  const compiled = await compile('e2e/ui', only);
  ensureModels([FAST_MODEL, TRUTH_MODEL]);
  ensureHost();
  return runNodeSuite({
    name: 'ui',
    compiled,
    // Limits for what hangs: on a busy machine the suite takes four times as long as alone.
    testLimitMs: 10 * MINUTE_MS,
    limitMs: 30 * MINUTE_MS,
    env: vsix ? { TEST_VSIX: vsix } : {},
  });
}

let built;

/** One build per run, however many suites need it. */
function buildOnce() {
  built ??= build();
  return built;
}

/** Compiles the suite's files whose path contains `only`; none at all is an error. */
async function compile(suite, only) {
  const files = fs
    .readdirSync(path.join(root, 'test', suite), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => path.join('test', suite, name))
    .filter((name) => name.includes(only))
    .sort();
  if (!files.length) throw new Error(`no test file of ${suite} has "${only}" in its path`);
  return buildTests(files);
}
