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

/** Asks the addon for a GPU: the one with the number `gpu`, else the first that the kernels run on. */
export function findCudaDevice(
  result: AddonResult,
  driverIsThere: () => boolean,
  gpu?: number,
): CudaAvailability {
  if ('missing' in result) {
    return driverIsThere()
      ? { kind: 'build', reason: `the CUDA engine is not built here (${result.missing})` }
      : { kind: 'none', reason: 'this machine has no NVIDIA driver' };
  }
  const { devices, failure } = result.addon.probe();
  if (failure !== undefined) return { kind: 'none', reason: failure };
  const candidates = gpu === undefined ? devices : devices.filter(({ index }) => index === gpu);
  const device = candidates.find((candidate) => candidate.failure === undefined);
  if (device) return { kind: 'usable', addon: result.addon, device };
  return { kind: 'none', reason: whyNone(devices, candidates, gpu) };
}

function whyNone(devices: CudaDevice[], candidates: CudaDevice[], gpu: number | undefined): string {
  if (devices.length === 0) return 'the NVIDIA driver finds no GPU';
  if (candidates.length > 0)
    return candidates.map(({ name, failure }) => `${name}: ${failure ?? 'unknown'}`).join('; ');
  const names = devices.map(({ index, name }) => `${index} (${name})`).join(', ');
  return `there is no GPU ${gpu ?? ''}; this machine has ${names}`;
}
