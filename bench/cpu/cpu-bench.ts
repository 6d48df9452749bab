// Prefill and decode on the CPU for prompts of 1K, 2K and 4K tokens of code, beside llama.cpp on the same file.
//   npm run bench -- cpu [REPETITIONS]
import { readFileSync } from 'node:fs';
import { homedir, loadavg } from 'node:os';
import path from 'node:path';
import { openGguf } from '../../server/models/gguf/open-gguf';
import { tokenizerFromMetadata } from '../../server/tokenizer/from-gguf';
import { type BenchRow, commitUnderTest, cpuDevice, spreadOf, writeRecord } from '../record';
import { installLlamaCpp, measureLlamaCpp } from './llama-cpp-peer';
import { measureLongview } from './longview';
import type { Measurement, Workload } from './workload';

const MODEL_ID = 'qwen2.5-coder-0.5b-instruct-q4_k_m';
const MODEL_SHA256 = '1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32';
/** Code as people write it, from a pinned development package. */
const SOURCE = 'node_modules/zod/src/v4/core/schemas.ts';
const SIZES = [1000, 2000, 4000] as const;
const DECODE_TOKENS = 32;
const THREADS = 2;
const DEFAULT_REPETITIONS = 3;

/** Repetitions of one engine at one prompt size, tokens a second. */
interface Rates {
  prefill: number[];
  decode: number[];
}

async function main(): Promise<void> {
  const commit = commitUnderTest();
  const repetitions = Number(process.argv[2] ?? DEFAULT_REPETITIONS);
  if (!Number.isInteger(repetitions) || repetitions < 1) throw new Error('REPETITIONS is a number above 0.');
  const workload = await readWorkload();
  installLlamaCpp();
  const loads: number[] = [];
  const ours = emptyRates();
  const theirs = emptyRates();
  let peer = '';
  let sameAnswers = 0;
  // In turns, so that a busy moment of the machine hits both.
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    loads.push(loadavg()[0] ?? 0);
    const longview = await measureLongview(workload);
    const llamaCpp = measureLlamaCpp(workload);
    peer = llamaCpp.peer;
    collect(longview, ours);
    collect(llamaCpp.results, theirs);
    sameAnswers += longview.filter((m, i) => m.tokens[0] === llamaCpp.results[i]?.tokens[0]).length;
    console.log(`repetition ${repetition} of ${repetitions} done, load average ${loadavg()[0]?.toFixed(1)}`);
  }
  const { min, max } = spreadOf(loads);
  const note =
    `${THREADS} threads, ${repetitions} repetitions in turns, load average before each ${min.toFixed(1)} to ` +
    `${max.toFixed(1)}; same first token in ${sameAnswers} of ${SIZES.length * repetitions}`;
  await writeRecord('cpu', {
    bench: 'cpu',
    commit,
    date: new Date().toISOString(),
    device: cpuDevice(),
    driver: `onnxruntime-node ${installedVersion('onnxruntime-node')}, node ${process.version}`,
    rows: rowsOf(ours, theirs, peer, note),
  });
}

async function readWorkload(): Promise<Workload> {
  const cacheDir =
    process.env.LONGVIEW_CACHE_DIR ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'longview');
  const modelPath = path.join(cacheDir, 'models', MODEL_ID, 'model.gguf');
  const gguf = await openGguf(modelPath);
  await gguf.close();
  const ids = tokenizerFromMetadata(gguf.metadata).encode(readFileSync(SOURCE, 'utf8'));
  const longest = Math.max(...SIZES);
  if (ids.length < longest) throw new Error(`${SOURCE} has ${ids.length} tokens, not ${longest}`);
  return {
    modelPath,
    modelSha256: MODEL_SHA256,
    cacheDir,
    ids: ids.slice(0, longest),
    sizes: [...SIZES],
    decodeTokens: DECODE_TOKENS,
    threads: THREADS,
  };
}

function emptyRates(): Rates[] {
  return SIZES.map(() => ({ prefill: [], decode: [] }));
}

function collect(measurements: readonly Measurement[], into: readonly Rates[]): void {
  for (const [i, { prefillS, decodeS }] of measurements.entries()) {
    into[i]?.prefill.push((SIZES[i] ?? 0) / prefillS);
    into[i]?.decode.push(DECODE_TOKENS / decodeS);
  }
}

function rowsOf(ours: readonly Rates[], theirs: readonly Rates[], peer: string, note: string): BenchRow[] {
  const row = (id: string, mine: readonly number[], other: readonly number[]): BenchRow => {
    const spread = spreadOf(mine);
    const peerValue = spreadOf(other).median;
    const ratio = spread.median / peerValue;
    return { id, value: spread.median, unit: 'tokens/s', peer, peerValue, ratio, ...spread, note };
  };
  const rows: BenchRow[] = [];
  for (const kind of ['prefill', 'decode'] as const) {
    const ofKind = SIZES.map((size, i) =>
      row(`cpu.${kind}.${size / 1000}k`, ours[i]?.[kind] ?? [], theirs[i]?.[kind] ?? []),
    );
    const representative = ofKind[SIZES.indexOf(2000)];
    if (representative) rows.push({ ...representative, id: `cpu.${kind}`, note: `2K tokens; ${note}` });
    rows.push(...ofKind);
  }
  return rows;
}

function installedVersion(name: string): string {
  const manifest = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
