import path from 'node:path';
import { joinTokens } from '../../server/prompt/parts';
import { driverVersion } from '../driver';
import { type BenchRow, commitUnderTest, spreadOf, writeRecord } from '../record';
import { CLASSES, DENSE } from './configurations';
import { openDevice } from './device';
import { readCorpus } from './fetch';
import { plantingsOf } from './sets';

export interface BreakEvenOptions {
  corpus: string;
  modelPath: string;
  addonFile: string;
  where: string;
}

const CONTEXT_TOKENS = 32_768;
const LENGTHS = [2, 4, 6, 8, 10, 12, 16, 24, 32].map((thousands) => thousands * 1000);
const REPETITIONS = 5;

/**
 * Reads prompts of code of growing length with dense attention and with each quality class, and finds from where on
 * a class takes less time than dense at every length.
 */
export async function measureBreakEven(options: BreakEvenOptions): Promise<void> {
  const device = await openDevice({ ...options, contextTokens: CONTEXT_TOKENS });
  const { reader, writer } = device;
  const [planting] = plantingsOf('tuning', 1);
  if (!planting) throw new Error('the tuning set is empty');
  const tokens = joinTokens(readCorpus(options.corpus, planting).map((file) => writer.file(file)));
  const rows: BenchRow[] = [];
  const times = new Map<string, number[]>();
  for (const length of LENGTHS) {
    const prompt = tokens.slice(0, length);
    let denseMs = 0;
    for (const { name, selection } of [DENSE, ...CLASSES]) {
      const samples: number[] = [];
      // The first one warms up, and does not count.
      for (let i = 0; i <= REPETITIONS; i++) {
        const { deviceMs } = await reader.read(
          prompt,
          selection({ prefixTokens: length, balancedDensity: 1, model: device.model }),
        );
        if (i > 0) samples.push(deviceMs);
      }
      const spread = spreadOf(samples);
      if (name === DENSE.name) denseMs = spread.median;
      times.set(name, [...(times.get(name) ?? []), spread.median]);
      rows.push({
        id: `prefill.${name}.${length / 1000}k`,
        value: spread.median,
        unit: 'ms',
        ...spread,
        ...(name !== DENSE.name && {
          peer: 'dense, same engine',
          peerValue: denseMs,
          ratio: denseMs / spread.median,
        }),
        note: 'device time of all chunks of a prompt',
      });
    }
  }
  const dense = times.get(DENSE.name) ?? [];
  for (const { name } of CLASSES) {
    const value = crossing(LENGTHS, dense, times.get(name) ?? []);
    const id = name === 'balanced' ? 'break_even' : `break_even.${name}`;
    const note =
      'from here on a prompt is read sooner than densely, between measured lengths by a straight line';
    if (value !== undefined) rows.push({ id, value, unit: 'tokens', note });
    else console.log(`${id}: not below dense at ${CONTEXT_TOKENS} tokens`);
  }
  await device.backend.dispose();
  await writeRecord(options.where, {
    bench: 'break-even',
    commit: commitUnderTest(),
    date: new Date().toISOString(),
    device: device.name,
    driver: driverVersion(),
    rows: rows.map((row) => ({ ...row, note: `${row.note ?? ''}; ${path.basename(options.modelPath)}` })),
  });
}

/** Where `others` get below `dense` for good; undefined where they are not below it at the longest length. */
export function crossing(
  lengths: readonly number[],
  dense: readonly number[],
  others: readonly number[],
): number | undefined {
  const gains = lengths.map((_length, i) => (dense[i] ?? 0) - (others[i] ?? 0));
  const last = gains.findLastIndex((gain) => gain <= 0);
  if (last === gains.length - 1) return undefined;
  if (last < 0) return lengths[0];
  const [before = 0, after = 0] = gains.slice(last, last + 2);
  const [start = 0, end = 0] = lengths.slice(last, last + 2);
  return Math.round(start + ((end - start) * -before) / (after - before));
}
