// Tests the CUDA engine on this machine's GPU, through the built addon.
//   node scripts/cuda/test-engine.mjs [--model GGUF [--golden JSON]] [--only TEXT] [--bundle]
//     --bundle   only makes out/test/engine-test.js and out/bench/step-times.js, to run where there is no checkout
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { build } from '../build.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const outfile = path.join(root, 'out/test/engine-test.js');

async function bundle(entry, to) {
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: to,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'warning',
  });
}

await bundle('test/kernels/engine/engine-test.ts', outfile);
fs.copyFileSync(
  path.join(root, 'test/kernels/engine/fault-preload.cjs'),
  path.join(root, 'out/test/fault-preload.cjs'),
);
const rest = process.argv.slice(2);
if (rest.includes('--bundle')) {
  await bundle('bench/kernels/decode/step-times.ts', path.join(root, 'out/bench/step-times.js'));
} else {
  await build();
  const built = path.join(root, 'build/cuda');
  const files = [path.join(built, 'longview-cuda.node'), path.join(root, 'test/fixtures/engine')];
  const host = [
    '--host',
    path.join(root, 'out/engine-host.js'),
    '--fault',
    path.join(built, 'longview-fault.node'),
  ];
  const run = spawnSync(process.execPath, [outfile, ...files, ...host, ...rest], { stdio: 'inherit' });
  process.exitCode = run.status ?? 1;
}
