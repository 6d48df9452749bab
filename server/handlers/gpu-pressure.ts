import type { RunProgram } from './run-program';

/** Comes with every NVIDIA driver. */
const PROGRAM = 'nvidia-smi';
const QUERY = ['--query-gpu=index,utilization.gpu,memory.used,memory.total', '--format=csv,noheader,nounits'];

/** Share of the last second in which kernels ran, in per cent, that counts as busy. */
const BUSY_PERCENT = 50;

/** Others that hold more than this share of the memory are using it: a model loaded now would get what is left. */
const TAKEN_SHARE = 0.5;

/**
 * Why nobody should begin to compute on the GPU unasked, in words; undefined when nothing speaks against it, or nobody
 * tells. Asked while Longview computes nothing on it itself.
 *
 * @param gpu its number; undefined: the first
 * @param holdsModel the model is on it already, and so part of the memory in use is Longview's own
 */
export async function gpuPressure(
  run: RunProgram,
  gpu: number | undefined,
  holdsModel: boolean,
): Promise<string | undefined> {
  const rows = ((await run(PROGRAM, QUERY)) ?? '')
    .split('\n')
    .map((line) => line.split(',').map((field) => Number.parseFloat(field)));
  const row = rows.find(([index]) => index === (gpu ?? 0));
  if (!row) return undefined;
  // Some GPUs tell `[N/A]`: not a number, and nothing against it.
  const [, busyPercent = 0, usedMiB = 0, totalMiB = 1] = row;
  if (busyPercent > BUSY_PERCENT) return 'other programs use the GPU';
  if (!holdsModel && usedMiB / totalMiB > TAKEN_SHARE) return 'other programs hold the memory of the GPU';
  return undefined;
}
