import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';

/** One figure. Rates, times and shares are all plain numbers; `unit` says which. */
export interface BenchRow {
  /** Fixed where an issue names it, free otherwise. */
  id: string;
  /** The figure itself: the median of the repetitions unless `note` says otherwise. */
  value: number;
  /** `tokens/s`, `s`, `ms`, or empty for accuracies and shares (0 to 1). */
  unit: string;
  /** What it was compared with in the same run, with its version; `limit` for a physical limit. */
  peer?: string;
  peerValue?: number;
  /** How many times better than the peer: rates ours / peer, times peer / ours. */
  ratio?: number;
  min?: number;
  median?: number;
  max?: number;
  note?: string;
}

export interface BenchRecord {
  bench: string;
  /** Commit that was measured. */
  commit: string;
  /** ISO 8601. */
  date: string;
  device: string;
  driver: string;
  rows: BenchRow[];
}

/** Smallest, middle and largest of some repetitions. */
export interface Spread {
  min: number;
  median: number;
  max: number;
}

/** @throws RangeError without samples */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  const lower = sorted[(sorted.length - 1) >> 1];
  const upper = sorted[sorted.length >> 1];
  if (min === undefined || max === undefined || lower === undefined || upper === undefined) {
    throw new RangeError('no samples');
  }
  return { min, median: (lower + upper) / 2, max };
}

/** Commit under test, which `scripts/bench.mjs` passes in: the bench itself may run where there is no git. */
export function commitUnderTest(): string {
  const commit = process.env.LONGVIEW_COMMIT;
  if (!commit) throw new Error('LONGVIEW_COMMIT is not set: run benches with `npm run bench -- NAME`');
  return commit;
}

/** This machine's processor in words. */
export function cpuDevice(): string {
  const all = cpus();
  return `${all[0]?.model.trim() ?? 'unknown processor'} (${all.length} threads)`;
}

/** Writes a record as `writeRecord` does, beside what other runs measured at the same commit under other ids. */
export async function addToRecord(where: string, record: BenchRecord): Promise<string> {
  const file = fileOf(where, record.bench);
  const earlier = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as BenchRecord) : undefined;
  const kept = earlier?.commit === record.commit ? earlier.rows : [];
  const rows = [...kept.filter((row) => !record.rows.some(({ id }) => id === row.id)), ...record.rows];
  return writeRecord(where, { ...record, rows });
}

/**
 * Writes `bench/results/<where>/<bench>.json`, `where` being `cpu` or the name of a GPU, and prints the rows.
 * Runs in the repository root. Returns the path of the record.
 */
export async function writeRecord(where: string, record: BenchRecord): Promise<string> {
  const file = fileOf(where, record.bench);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(record, null, 2)}\n`);
  for (const row of record.rows) {
    const beside = row.ratio === undefined ? '' : `  ${row.ratio.toFixed(2)}x of ${row.peer ?? ''}`;
    console.log(`${row.id}: ${row.value} ${row.unit}${beside}`);
  }
  console.log(`written to ${file}`);
  return file;
}

/** The folder of a device's records: `h200` for an NVIDIA H200. */
export function folderOf(device: string): string {
  const card = /\b[A-Z]+\d{3,4}\b/.exec(device)?.[0];
  return (card ?? device.replaceAll(/\W+/g, '-')).toLowerCase();
}

function fileOf(where: string, bench: string): string {
  return path.join('bench', 'results', where, `${bench}.json`);
}
