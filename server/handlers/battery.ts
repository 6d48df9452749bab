import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunProgram } from './run-program';

/** Where Linux tells about power. */
export const POWER_SUPPLIES = '/sys/class/power_supply';

/** Who tells elsewhere, and what it says while a battery is drained. */
const TELLERS: Partial<Record<NodeJS.Platform, { command: [string, ...string[]]; drained: RegExp }>> = {
  darwin: { command: ['pmset', '-g', 'batt'], drained: /drawing from 'Battery Power'/ },
  win32: {
    // 1: discharging. A machine without a battery prints nothing.
    command: ['powershell', '-NoProfile', '-Command', '(Get-CimInstance Win32_Battery).BatteryStatus'],
    drained: /^\s*1\s*$/m,
  },
};

/** True when a battery is being drained and no mains supply is connected; false where nobody tells. */
export async function isOnBattery(
  platform: NodeJS.Platform,
  powerSupplies: string,
  run: RunProgram,
): Promise<boolean> {
  if (platform === 'linux') return linuxDrainsBattery(powerSupplies);
  const teller = TELLERS[platform];
  if (!teller) return false;
  const [program, ...args] = teller.command;
  return teller.drained.test((await run(program, args)) ?? '');
}

async function linuxDrainsBattery(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  const supplies = await Promise.all(
    names.map(async (name) => ({
      type: await word(path.join(folder, name, 'type')),
      status: await word(path.join(folder, name, 'status')),
      online: await word(path.join(folder, name, 'online')),
      scope: await word(path.join(folder, name, 'scope')),
    })),
  );
  // A mouse or a pen has a battery, too: `Device`.
  const own = supplies.filter(({ scope }) => scope !== 'Device');
  const isPlugged = own.some(({ type, online }) => type !== 'Battery' && online === '1');
  return !isPlugged && own.some(({ type, status }) => type === 'Battery' && status === 'Discharging');
}

async function word(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
}
