// Checks what of kernels/ can be checked without a GPU: the CPU oracles and the host's own code under ASan and
// UBSan, and that everything compiles for every architecture.
//   node scripts/cuda/check-kernels.mjs
// The compilation is skipped where the same sources have passed before. Needs CMake and a C++ compiler; without
// one it says so and checks nothing. CUDA is fetched where it is missing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const ORACLES = 'build/reference';

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args[0]} failed; what it said is above.`);
}

const isThere = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

function checkOracles() {
  run('cmake', '-S', 'kernels', '-B', ORACLES, '-DLONGVIEW_CUDA=OFF', '-DLONGVIEW_SANITIZE=ON');
  run('cmake', '--build', ORACLES, '--parallel', String(os.availableParallelism()));
  run('ctest', '--test-dir', ORACLES, '--output-on-failure', '--no-tests=error');
}

/** Hash of everything that decides what the compiler sees. */
function sourcesHash() {
  const hash = createHash('sha256');
  for (const folder of ['kernels', 'test/kernels', 'scripts/cuda']) {
    for (const file of fs.readdirSync(path.join(root, folder), { recursive: true }).sort()) {
      const whole = path.join(root, folder, file);
      if (!fs.statSync(whole).isFile() || file.endsWith('.md') || file.endsWith('.pyc')) continue;
      hash.update(`${folder}/${file}\0`).update(fs.readFileSync(whole));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

function checkCompilation() {
  const cache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  const passed = path.join(cache, 'longview', 'kernels-checked', sourcesHash());
  if (fs.existsSync(passed)) {
    process.stdout.write('The kernels compiled before with these sources.\n');
    return;
  }
  run(process.execPath, 'scripts/build-cuda.mjs');
  // The C interface, called from C as far as that goes without a GPU.
  run('ctest', '--test-dir', 'build/cuda', '-R', '^capi_', '--output-on-failure', '--no-tests=error');
  fs.mkdirSync(path.dirname(passed), { recursive: true });
  fs.writeFileSync(passed, '');
}

const missing = ['cmake', 'c++'].filter((command) => !isThere(command));
if (missing.length) {
  process.stdout.write(`The kernels were not checked: no ${missing.join(' and no ')} here.\n`);
} else {
  checkOracles();
  checkCompilation();
}
