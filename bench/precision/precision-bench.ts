// Prefill in fp8 beside bf16, on real code and in one run: what it saves, and what it changes.
//   npm run bench -- precision --model GGUF [--addon FILE] [--corpus DIR] [--lengths 8,32,128]
//       [--prompts N] [--repetitions N]
//     --corpus    the repositories of `npm run bench -- quality fetch`; those of the reporting set are read
//     --lengths   of the prompts, in thousands of tokens
//     --prompts   of each length at most, whose answers are compared; --repetitions: of what is timed
// Both are loaded at the same time and take turns. Continuations are forced token by token behind each prompt, decoded
// in bf16 by either; so agreement is that of answers, not of prefill's own logits.
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { PrefillPrecision } from '../../protocol';
import type { BlockSelection } from '../../server/backends/backend';
import { selectionOf } from '../../server/engine/attention-policy';
import { driverVersion } from '../driver';
import { type Agreement, compare, type DensePosition, densePosition } from '../quality/agreement';
import { buildCell, type Cell } from '../quality/cell';
import { type Device, openDevice } from '../quality/device';
import { readCorpus } from '../quality/fetch';
import { plantingsOf } from '../quality/sets';
import { addToRecord, type BenchRow, commitUnderTest, folderOf, spreadOf } from '../record';

const PRECISIONS = ['bf16', 'fp8'] as const satisfies PrefillPrecision[];
type Devices = Record<PrefillPrecision, Device>;

const CONTEXT_TOKENS = 131_072;
/** Of the reporting set: every repository once. */
const PROMPTS = 6;
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
      prompts: { type: 'string', default: String(PROMPTS) },
      repetitions: { type: 'string', default: String(REPETITIONS) },
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
      .slice(0, Number(values.prompts))
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
    const ways = { dense: undefined, balanced: selectionOf('balanced', devices.bf16.model) };
    for (const [attention, selection] of Object.entries(ways)) {
      const times = await timed(devices, first, selection, Number(values.repetitions));
      rows.push({ id: `prefill.fp8.${attention}.${thousands}k`, ...times });
    }
    rows.push(...(await compared(devices, cells, thousands)));
    await addToRecord(folderOf(devices.bf16.name), {
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
  selection: BlockSelection | undefined,
  repetitions: number,
): Promise<Omit<BenchRow, 'id'>> {
  const samples: Record<PrefillPrecision, number[]> = { bf16: [], fp8: [] };
  for (let i = 0; i <= repetitions; i++) {
    for (const precision of PRECISIONS) {
      const { deviceMs } = await devices[precision].reader.read(cell.prefix, selection);
      if (i > 0) samples[precision].push(deviceMs);
    }
  }
  const [spread, peer] = [spreadOf(samples.fp8), spreadOf(samples.bf16)];
  return {
    value: spread.median,
    unit: 'ms',
    peer: 'bf16, same engine and attention',
    peerValue: peer.median,
    ratio: peer.median / spread.median,
    ...spread,
    note: `device time of all chunks of ${cell.prefix.length} tokens; ${repetitions} in turn; bf16 ${peer.min.toFixed(1)} to ${peer.max.toFixed(1)}`,
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
