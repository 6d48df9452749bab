import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A disk of so many bytes, to be filled; undefined where this user may mount none. */
export function smallDisk(bytes: number): { folder: string; dispose: () => void } | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0777`, 'longview-test', folder], {
      stdio: 'ignore',
    });
  } catch {
    // A container without the right to.
    fs.rmdirSync(folder);
    return undefined;
  }
  return {
    folder,
    dispose: () => {
      execFileSync('umount', ['--lazy', folder], { stdio: 'ignore' });
      fs.rmdirSync(folder);
    },
  };
}

/** Runs `work` while the kernel lets this process write no file beyond `bytes`: writes end half way, with `EFBIG`. */
export async function withFileLimit<T>(bytes: number, work: () => Promise<T>): Promise<T> {
  const limit = (soft: number | 'unlimited') =>
    execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${soft}:unlimited`]);
  const ignore = (): void => undefined;
  process.on('SIGXFSZ', ignore);
  limit(bytes);
  try {
    return await work();
  } finally {
    limit('unlimited');
    process.off('SIGXFSZ', ignore);
  }
}
