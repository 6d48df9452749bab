import { execFileSync } from 'node:child_process';

/** Version of the NVIDIA driver. */
export function driverVersion(): string {
  const query = ['--query-gpu=driver_version', '--format=csv,noheader'];
  return execFileSync('nvidia-smi', query, { encoding: 'utf8' }).split('\n')[0]?.trim() ?? '';
}
