import { existsSync } from 'node:fs';
import type { AddonResult, CudaAddon, CudaDevice } from './addon';

/** The GPU to run on, or why there is none. `build`: there is one, and only the addon is missing. */
export type CudaAvailability =
  | { kind: 'usable'; addon: CudaAddon; device: CudaDevice }
  | { kind: 'build'; reason: string }
  | { kind: 'none'; reason: string };

export const BUILD_COMMAND = 'npm run build:cuda';

/** What an NVIDIA driver leaves in the file system of Linux, natively and under WSL. */
const DRIVER_FILES = ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/usr/lib/wsl/lib/libcuda.so.1'];

/** Tells without the addon whether an NVIDIA driver is there. */
export function hasNvidiaDriver(exists: (file: string) => boolean = existsSync): boolean {
  return DRIVER_FILES.some((file) => exists(file));
}

/** Asks the addon for a GPU: the first that the kernels run on. */
export function findCudaDevice(result: AddonResult, driverIsThere: () => boolean): CudaAvailability {
  if ('missing' in result) {
    return driverIsThere()
      ? { kind: 'build', reason: `the CUDA engine is not built here (${result.missing})` }
      : { kind: 'none', reason: 'this machine has no NVIDIA driver' };
  }
  const { devices, failure } = result.addon.probe();
  if (failure !== undefined) return { kind: 'none', reason: failure };
  const device = devices.find((candidate) => candidate.failure === undefined);
  if (device) return { kind: 'usable', addon: result.addon, device };
  const reasons = devices.map((candidate) => `${candidate.name}: ${candidate.failure ?? 'unknown'}`);
  return { kind: 'none', reason: reasons.join('; ') || 'the NVIDIA driver finds no GPU' };
}
