// Prefill in fp8 beside bf16, on real code and in one run: what it saves, and what it changes.
//   npm run bench -- precision --model GGUF [--addon FILE] [--corpus DIR] [--lengths 8,32,128] [--where h200]
//     --corpus    the repositories of `npm run bench -- quality fetch`; those of the reporting set are read
//     --lengths   of the prompts, in thousands of tokens
// Both are loaded at the same time and take turns. Continuations are forced token by token behind each prompt, decoded
// in bf16 by either; so agreement is that of answers, not of prefill's own logits.
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { PrefillPrecision } from '../../protocol';
import { driverVersion } from '../driver';
import { type Agreement, compare, type DensePosition, densePosition } from '../quality/agreement';
import { buildCell, type Cell } from '../quality/cell';
import { CLASSES, type Configuration, DENSE } from '../quality/configurations';
import { type Device, openDevice } from '../quality/device';
import { readCorpus } from '../quality/fetch';
import { plantingsOf } from '../quality/sets';
import { type BenchRow, commitUnderTest, spreadOf, writeRecord } from '../record';

const PRECISIONS = ['bf16', 'fp8'] as const satisfies PrefillPrecision[];
type Devices = Record<PrefillPrecision, Device>;

const CONTEXT_TOKENS = 131_072;
/** Prompts that answers are compared on, by their length; the first one's prefill is timed. */
const CELLS = (thousands: number): number => (thousands <= 8 ? 6 : thousands <= 32 ? 4 : 2);
const REPETITIONS = 3;
const FORCED_TOKENS = 128;
const GREEDY_TOKENS = 128;
const NO_QUESTIONS = { needle: 0, multiKey: 0, tracking: 0, function: 0 };

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: 'string' },
      addon: { type: 'string', default: 'build/cuda/longview-cuda.node' },
      corpus: { type: 'string', default: 'out/bench/quality-corpus' },
      lengths: { type: 'string', default: '8,32,128' },
      where: { type: 'string', default: 'h200' },
    },
  });
  if (values.model === undefined) throw new Error('--model names the GGUF file');
  const files = { modelPath: path.resolve(values.model), addonFile: path.resolve(values.addon) };
  const open = (prefillPrecision: PrefillPrecision): Promise<Device> =>
    openDevice({ ...files, contextTokens: CONTEXT_TOKENS, prefillPrecision });
  const devices: Devices = { bf16: await open('bf16'), fp8: await open('fp8') };
  const rows: BenchRow[] = [];
  for (const thousands of values.lengths.split(',').map(Number)) {
    const cells = plantingsOf('reporting', 1)
      .slice(0, CELLS(thousands))
      .map((planting) =>
        buildCell(
          devices.bf16.writer,
          readCorpus(values.corpus, planting),
          planting,
          1000 * thousands,
          NO_QUESTIONS,
        ),
      );
    const [first] = cells;
    if (!first) throw new Error('the reporting set is empty');
    const ways = [DENSE, ...CLASSES.filter(({ name }) => name === 'balanced')];
    for (const way of ways) rows.push(await timed(devices, first, way, thousands));
    rows.push(...(await compared(devices, cells, thousands)));
    await writeRecord(values.where, {
      bench: 'precision',
      commit: commitUnderTest(),
      date: new Date().toISOString(),
      device: devices.bf16.name,
      driver: driverVersion(),
      rows,
    });
  }
  for (const precision of PRECISIONS) await devices[precision].backend.dispose();
}

/** Prefill of one prompt, in turn; the first of each warms up. */
async function timed(
  devices: Devices,
  cell: Cell,
  { name, selection }: Configuration,
  thousands: number,
): Promise<BenchRow> {
  const samples: Record<PrefillPrecision, number[]> = { bf16: [], fp8: [] };
  for (let i = 0; i <= REPETITIONS; i++) {
    for (const precision of PRECISIONS) {
      const { deviceMs } = await devices[precision].reader.read(
        cell.prefix,
        selection(cell.prefix.length, 1),
      );
      if (i > 0) samples[precision].push(deviceMs);
    }
  }
  const [spread, peer] = [spreadOf(samples.fp8), spreadOf(samples.bf16)];
  return {
    id: `prefill.fp8.${name}.${thousands}k`,
    value: spread.median,
    unit: 'ms',
    peer: `bf16, same engine, ${name} attention`,
    peerValue: peer.median,
    ratio: peer.median / spread.median,
    ...spread,
    note: `device time of all chunks of ${cell.prefix.length} tokens; ${REPETITIONS} in turn; bf16 ${peer.min} to ${peer.max}`,
  };
}

/** How the answers behind prompts read in fp8 differ from those behind prompts read in bf16, dense attention. */
async function compared(devices: Devices, cells: readonly Cell[], thousands: number): Promise<BenchRow[]> {
  const sum: Agreement = { positions: 0, sameTop: 0, klSum: 0 };
  const same: number[] = [];
  let greedy = 0;
  for (const cell of cells) {
    const continuation = cell.continuation.slice(0, FORCED_TOKENS);
    const size = devices.bf16.writer.tokenizer.firstUnusedToken;
    const positions: DensePosition[] = [];
    await devices.bf16.reader.read(cell.prefix, undefined);
    await devices.bf16.reader.force(continuation, (_, logits) => positions.push(densePosition(logits, size)));
    const expected = await devices.bf16.reader.answer(cell.free, GREEDY_TOKENS);
    await devices.fp8.reader.read(cell.prefix, undefined);
    await devices.fp8.reader.force(continuation, (position, logits) => {
      const exact = positions[position];
      if (exact) compare(exact, logits, sum);
    });
    const answer = await devices.fp8.reader.answer(cell.free, GREEDY_TOKENS);
    const differs = expected.findIndex((token, i) => token !== answer[i]);
    same.push(differs < 0 ? expected.length : differs);
    greedy += expected.length;
  }
  const note = `${cells.length} prompts of the reporting set, dense attention, beside bf16`;
  return [
    {
      id: `fp8.top1.${thousands}k`,
      value: sum.sameTop / sum.positions,
      unit: '',
      note: `share of ${sum.positions} forced positions with the same likeliest token; ${note}`,
    },
    {
      id: `fp8.kl.${thousands}k`,
      value: sum.klSum / sum.positions,
      unit: 'nats',
      note: `mean KL of bf16 from fp8 at the same positions; ${note}`,
    },
    {
      id: `fp8.greedy.${thousands}k`,
      value: same.reduce((total, count) => total + count, 0) / greedy,
      unit: '',
      note: `share of greedy answers of up to ${GREEDY_TOKENS} tokens before the first that differs (${same.join(', ')} tokens); ${note}`,
    },
  ];
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
