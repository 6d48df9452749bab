import fs from 'node:fs';
import path from 'node:path';
import type { CellOutcome } from './measure';
import { groupsOf } from './rows';
import { FACTS_FILE, type RunFacts } from './run';
import { mean } from './statistics';

/** What one head of one layer read of the key blocks it could see, under one configuration at one length. */
export interface HeadDensity {
  configuration: string;
  lengthTokens: number;
  layer: number;
  head: number;
  /** Mean over the cells, and the least and the most of them. */
  density: number;
  least: number;
  most: number;
  cells: number;
}

/** One row for each length, configuration, layer and head; dense attention has none. */
export function headDensitiesOf(cells: readonly CellOutcome[]): HeadDensity[] {
  const heads = cells[0]?.heads ?? 1;
  return groupsOf(cells).flatMap(({ configuration, lengthTokens, cells: measured }) => {
    const lists = measured.flatMap(({ outcome }) => (outcome.densities ? [outcome.densities] : []));
    return (lists[0] ?? []).map((_, i): HeadDensity => {
      const shares = lists.map((list) => list[i] ?? 0);
      return {
        configuration,
        lengthTokens,
        layer: Math.floor(i / heads),
        head: i % heads,
        density: Math.round(mean(shares) * 1e4) / 1e4,
        least: Math.min(...shares),
        most: Math.max(...shares),
        cells: shares.length,
      };
    });
  });
}

/** Comma-separated values with a line of names. */
export function csvOf(rows: readonly HeadDensity[]): string {
  const names = [
    'configuration',
    'lengthTokens',
    'layer',
    'head',
    'density',
    'least',
    'most',
    'cells',
  ] as const;
  const lines = rows.map((row) => names.map((name) => quoted(String(row[name]))).join(','));
  return `${[names.join(','), ...lines].join('\n')}\n`;
}

const quoted = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/**
 * Writes `densities.json` and `densities.csv` beside the cells in `out`: how much every head reads.
 * @param kind what the cells' files begin with: `cell` those of runs, `sweep` those of tuning runs
 */
export function dumpDensities(out: string, kind: string): void {
  const cells = fs
    .readdirSync(out)
    .filter((name) => name.startsWith(`${kind}-`) && name.endsWith('.json'))
    .map((name) => JSON.parse(fs.readFileSync(path.join(out, name), 'utf8')) as CellOutcome);
  if (cells.length === 0) throw new Error(`there are no cells in ${out}: make some with "quality run"`);
  const facts = JSON.parse(fs.readFileSync(path.join(out, FACTS_FILE), 'utf8')) as RunFacts;
  const rows = headDensitiesOf(cells);
  const [json, csv] = [path.join(out, 'densities.json'), path.join(out, 'densities.csv')];
  fs.writeFileSync(json, JSON.stringify({ ...facts, rows }));
  fs.writeFileSync(csv, csvOf(rows));
  console.log(`${rows.length} heads in ${json} and ${csv}`);
}
