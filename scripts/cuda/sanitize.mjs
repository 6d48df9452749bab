// Runs the device tests of the kernels and of the whole engine under compute-sanitizer: memcheck, synccheck, initcheck.
//   node scripts/cuda/sanitize.mjs [--build DIR] [--engine-test FILE] [--fixtures DIR] [--seconds N] [--only TEXT]
//     --build        with longview_*_device_test and longview-cuda.node; default: build/cuda
//     --engine-test  as `node scripts/cuda/test-engine.mjs --bundle` makes it; default: out/test/engine-test.js
//     --seconds      of each run at most; default: 600
// Needs a GPU and NVIDIA's compute-sanitizer, of a CUDA toolkit.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

const TOOLS = ['memcheck', 'synccheck', 'initcheck'];
/**
 * Both head dims, with and without norms of heads, weights in bf16 and as stored. initcheck does not see what TMA
 * stores write, so it gets the portable kernels, which store by instructions.
 */
const engineCases = (tool) => (tool === 'initcheck' ? 'portable q' : 'golden q');

const { values } = parseArgs({
  options: {
    build: { type: 'string', default: 'build/cuda' },
    'engine-test': { type: 'string', default: 'out/test/engine-test.js' },
    fixtures: { type: 'string', default: 'test/fixtures/engine' },
    seconds: { type: 'string', default: '600' },
    only: { type: 'string', default: '' },
  },
});
const built = (name) => path.resolve(values.build, name);
const PROGRAMS = {
  ...Object.fromEntries(
    fs
      .readdirSync(values.build)
      .filter((name) => /^longview_\w+_device_test$/.test(name))
      .map((name) => [name.slice('longview_'.length), () => [built(name)]]),
  ),
  engine: (tool) => [
    process.execPath,
    path.resolve(values['engine-test']),
    built('longview-cuda.node'),
    path.resolve(values.fixtures),
    '--only',
    engineCases(tool),
  ],
};

let failed = 0;
for (const [name, program] of Object.entries(PROGRAMS)) {
  for (const tool of TOOLS) {
    const run = `${tool} ${name}`;
    if (!run.includes(values.only)) continue;
    const startMs = performance.now();
    const { status, error, stdout, stderr } = spawnSync(
      'compute-sanitizer',
      ['--tool', tool, '--error-exitcode', '1', ...program(tool)],
      { encoding: 'utf8', timeout: 1000 * Number(values.seconds), maxBuffer: 2 ** 27 },
    );
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    if (status !== 0) {
      failed++;
      process.stdout.write(`${`${stdout}\n${stderr}`.split('\n').slice(0, 60).join('\n')}\n`);
    }
    const summary = /ERROR SUMMARY: .*/.exec(stdout)?.[0] ?? error?.message ?? 'no summary';
    const passed = /^\d+ passed.*/m.exec(stdout)?.[0] ?? '';
    process.stdout.write(`${status === 0 ? 'ok' : 'FAILED'} ${run} (${seconds} s): ${summary} ${passed}\n`);
  }
}
process.exitCode = failed ? 1 : 0;
