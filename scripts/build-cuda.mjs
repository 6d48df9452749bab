// Builds kernels/ into build/cuda, and puts the CUDA engine beside the programs in out/.
//   node scripts/build-cuda.mjs [--jobs N] [--target NAME]
//     --jobs N        compilers at a time; default: as many as there are processors
//     --target NAME   one CMake target instead of all; longview_addon is the CUDA engine alone
// Needs CMake 3.24, a C++17 compiler, and CUDA 13; the last is fetched where it is missing.
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cudaToolkit } from './cuda/toolchain.mjs';
import { ensureInstalled } from './ensure-installed.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

function cmake(...args) {
  const { status, error } = spawnSync('cmake', args, { cwd: root, stdio: 'inherit' });
  if (error) throw new Error('CMake did not start. Install CMake 3.24 or newer.', { cause: error });
  if (status !== 0) throw new Error(`cmake ${args[0]} failed; what it said is above.`);
}

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: String(os.availableParallelism()) },
    target: { type: 'string' },
  },
});
ensureInstalled();
const { copyAddon } = await import('./build.mjs');
const toolkit = cudaToolkit();
cmake(
  '-S',
  'kernels',
  '-B',
  'build/cuda',
  '-DCMAKE_BUILD_TYPE=Release',
  `-DCMAKE_CUDA_COMPILER=${path.join(toolkit, 'bin', 'nvcc')}`,
  `-DCUDAToolkit_ROOT=${toolkit}`,
);
cmake(
  '--build',
  'build/cuda',
  '--parallel',
  values.jobs,
  ...(values.target ? ['--target', values.target] : []),
);
copyAddon(path.join(root, 'out'));
