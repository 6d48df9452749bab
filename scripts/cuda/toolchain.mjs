// Finds the CUDA compiler, or fetches NVIDIA's pinned wheels into a cache of the user's.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url));
const MAJOR = 13;
const DOWNLOAD_MB = 105;

/** The toolkit's folder (`bin/nvcc` inside), fetched first where the machine has none of version 13. */
export function cudaToolkit() {
  const { CUDACXX, CUDA_HOME, CUDA_PATH, PATH = '' } = process.env;
  const compilers = [
    CUDACXX,
    ...[CUDA_HOME, CUDA_PATH].filter(Boolean).map((home) => path.join(home, 'bin', 'nvcc')),
    ...PATH.split(path.delimiter).map((folder) => path.join(folder, 'nvcc')),
    `/usr/local/cuda-${MAJOR}.0/bin/nvcc`,
    '/usr/local/cuda/bin/nvcc',
  ].filter(Boolean);
  const found = compilers.map(toolkitOf).find(Boolean);
  return found ?? fetchedToolkit();
}

/** The folder that an nvcc of the right version belongs to; nvcc itself knows, whatever points at it. */
function toolkitOf(nvcc) {
  if (!fs.existsSync(nvcc)) return undefined;
  const version = spawnSync(nvcc, ['--version'], { encoding: 'utf8' });
  if (!new RegExp(`release ${MAJOR}\\.`).test(version.stdout ?? '')) return undefined;
  const dryRun = spawnSync(nvcc, ['--dryrun', '-x', 'cu', '/dev/null', '-c', '-o', '/dev/null'], {
    encoding: 'utf8',
  });
  const top = /^#\$ TOP=(.*)$/m.exec(dryRun.stderr ?? '')?.[1];
  return top === undefined ? undefined : fs.realpathSync(top);
}

/** The wheels unpacked under `<cache>/longview/cuda-<hash of the pins>`. */
function fetchedToolkit() {
  const pins = createHash('sha256').update(fs.readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const cache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  const target = path.join(cache, 'longview', `cuda-${pins}`);
  const toolkit = path.join(target, 'nvidia', `cu${MAJOR}`);
  if (fs.existsSync(path.join(target, 'complete'))) return toolkit;

  process.stderr.write(
    `No CUDA ${MAJOR} compiler here: fetching it from PyPI (${DOWNLOAD_MB} MB) into ${target}\n`,
  );
  fs.rmSync(target, { recursive: true, force: true });
  const pip = spawnSync(
    'python3',
    [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-deps',
      '--only-binary=:all:',
      '--target',
      target,
      '-r',
      REQUIREMENTS,
    ],
    { stdio: ['ignore', 2, 'inherit'] },
  );
  if (pip.status !== 0) {
    throw new Error('pip could not fetch the CUDA compiler. Install CUDA 13, or Python 3 with pip.');
  }
  // The wheels have lib where nvcc and CMake look for lib64, and only the versioned name of the runtime,
  // whose plain name CMake wants to see although the build links the static one.
  fs.symlinkSync('lib', path.join(toolkit, 'lib64'));
  fs.symlinkSync(`libcudart.so.${MAJOR}`, path.join(toolkit, 'lib', 'libcudart.so'));
  fs.writeFileSync(path.join(target, 'complete'), '');
  return toolkit;
}
