// Tests the CUDA engine on this machine's GPU, through the built addon.
//   node scripts/cuda/test-engine.mjs [--model GGUF [--golden JSON]] [--only TEXT] [--bundle]
//     --bundle   only makes out/test/engine-test.js, to run where there is no checkout
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const outfile = path.join(root, 'out/test/engine-test.js');

await esbuild.build({
  absWorkingDir: root,
  entryPoints: ['test/kernels/engine/engine-test.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  logLevel: 'warning',
});
const rest = process.argv.slice(2);
if (!rest.includes('--bundle')) {
  const addon = path.join(root, 'build/cuda/longview-cuda.node');
  const run = spawnSync(
    process.execPath,
    [outfile, addon, path.join(root, 'test/fixtures/engine'), ...rest],
    {
      stdio: 'inherit',
    },
  );
  process.exitCode = run.status ?? 1;
}
