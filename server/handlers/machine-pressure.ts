import { readFile } from 'node:fs/promises';
import type { Device } from '../../protocol';
import { isOnBattery, POWER_SUPPLIES } from './battery';
import { gpuPressure } from './gpu-pressure';
import { type RunProgram, runProgram } from './run-program';

/** Where Linux tells about load; elsewhere nothing is known, and nothing is held back. */
const CPU_PRESSURE = '/proc/pressure/cpu';

/** Share of the last ten seconds in which programs waited for a processor, in per cent, that counts as busy. */
const BUSY_PERCENT = 60;

/** How long an answer about power holds: between two chunks nobody waits for a program to start. */
const POWER_HOLDS_MS = 2000;

export interface PressureSources {
  platform: NodeJS.Platform;
  powerSupplies: string;
  cpuPressure: string;
  run: RunProgram;
  /** The NVIDIA GPU that Longview uses; absent: the first. */
  gpu?: number;
  /** Milliseconds of a steady clock. */
  now: () => number;
}

/** Whether the machine has time for work that nobody waits for. */
export class MachinePressure {
  private readonly sources: PressureSources;
  private power: { atMs: number; drained: Promise<boolean> } | undefined;

  constructor(sources: Partial<PressureSources> = {}) {
    this.sources = {
      platform: process.platform,
      powerSupplies: POWER_SUPPLIES,
      cpuPressure: CPU_PRESSURE,
      run: runProgram,
      now: () => performance.now(),
      ...sources,
    };
  }

  /**
   * Why such work should not begin on `device`, in words; undefined when it may.
   * @param holdsModel the model is loaded there
   */
  async againstBeginning(device: Device, holdsModel: boolean): Promise<string | undefined> {
    const { run, gpu } = this.sources;
    const pressure = await this.againstGoingOn(device);
    if (pressure !== undefined || device !== 'cuda') return pressure;
    return gpuPressure(run, gpu, holdsModel);
  }

  /** The same between two of its steps, when the load of a GPU is its own. */
  async againstGoingOn(device: Device): Promise<string | undefined> {
    if (await this.drainsBattery()) return 'the machine runs on battery';
    if (device === 'cpu' && (await waitingPercent(this.sources.cpuPressure)) > BUSY_PERCENT)
      return 'other programs need the processor';
    return undefined;
  }

  private drainsBattery(): Promise<boolean> {
    const { platform, powerSupplies, run, now } = this.sources;
    if (!this.power || now() - this.power.atMs > POWER_HOLDS_MS)
      this.power = { atMs: now(), drained: isOnBattery(platform, powerSupplies, run) };
    return this.power.drained;
  }
}

async function waitingPercent(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return Number(/^some avg10=([\d.]+)/m.exec(text)?.[1] ?? 0);
}
