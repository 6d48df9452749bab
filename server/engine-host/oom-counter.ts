import { readFile } from 'node:fs/promises';

/** Where Linux counts the processes that its out-of-memory killer has ended: this control group, the machine. */
const COUNTERS = ['/sys/fs/cgroup/memory.events', '/proc/vmstat'];

/** How many processes the kernel has killed for memory so far; undefined where it does not say. */
export async function readOomKills(): Promise<number | undefined> {
  for (const file of COUNTERS) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    const count = text?.match(/^oom_kill (\d+)$/m)?.[1];
    if (count !== undefined) return Number(count);
  }
  return undefined;
}
