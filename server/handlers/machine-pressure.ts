import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** Where Linux tells about power and load; elsewhere nothing is known, and nothing is held back. */
const POWER_SUPPLIES = '/sys/class/power_supply';
const CPU_PRESSURE = '/proc/pressure/cpu';

/** Share of the last ten seconds in which programs waited for a processor, in per cent, that counts as busy. */
const BUSY_PERCENT = 60;

/** Why work that nobody waits for should not run now, in words; undefined when it may. */
export async function machinePressure(
  powerSupplies = POWER_SUPPLIES,
  cpuPressure = CPU_PRESSURE,
): Promise<string | undefined> {
  if (await isOnBattery(powerSupplies)) return 'the machine runs on battery';
  if ((await waitingPercent(cpuPressure)) > BUSY_PERCENT) return 'other programs need the processor';
  return undefined;
}

/** True when a battery is being drained and no mains supply is connected. */
async function isOnBattery(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  const supplies = await Promise.all(
    names.map(async (name) => ({
      type: await word(path.join(folder, name, 'type')),
      status: await word(path.join(folder, name, 'status')),
      online: await word(path.join(folder, name, 'online')),
    })),
  );
  const isPlugged = supplies.some(({ type, online }) => type !== 'Battery' && online === '1');
  return !isPlugged && supplies.some(({ type, status }) => type === 'Battery' && status === 'Discharging');
}

async function waitingPercent(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return Number(/^some avg10=([\d.]+)/m.exec(text)?.[1] ?? 0);
}

async function word(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
}
