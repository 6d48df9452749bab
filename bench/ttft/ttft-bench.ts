// Time to first token on the GPU, at the server's protocol, beside its limit and llama.cpp; model load; time to stop.
//   npm run bench -- ttft [--attention dense|sample] [--precision bf16|fp8] [--model FILE] [--corpus DIR] [--batches N,N…] [PARTS...]
//     PARTS             8k, 32k, 128k: prompts of so many times 1,000 tokens of code; load; cancel; default: all
//     --batches         batch sizes of llama.cpp; default: 512,1024,2048
//     LONGVIEW_SERVER   the server to measure; default: out/server.js, with the addon beside it
//     LONGVIEW_LLAMA_CPP  folder with llama.cpp's run.sh, to measure it beside ours at 8k and 128k
// Each part writes its rows as soon as it has them; those of other parts at the same commit stay. Dense figures need
// torch and fa3-fwd for the limit. First the engine's own tests run: no figure is written when one fails.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type AskOptions, engineText, type PrefillPrecision } from '../../protocol';
import { driverVersion } from '../driver';
import { addToRecord, type BenchRow, commitUnderTest, folderOf, spreadOf } from '../record';
import { ANSWER_TOKENS, type Answered, BenchServer, type Question } from './bench-server';
import { DEFAULT_CORPUS, writeCorpus } from './corpus';
import { DenseLimit, llamaCpp, type PeerTime } from './peers';

const MODEL_ID = 'qwen2.5-coder-1.5b-instruct-q4_k_m';
const SIZES: Record<string, { llamaRepetitions?: number }> = {
  '8k': { llamaRepetitions: 2 },
  '32k': {},
  // One prompt of llama.cpp takes about as long as all of ours.
  '128k': { llamaRepetitions: 1 },
};
const REPETITIONS = 3;
const STOPS = 5;
const LONG_PROMPT = 128_000;

interface Setting {
  serverPath: string;
  cacheDir: string;
  modelPath: string;
  attention: 'dense' | 'sample';
  prefillPrecision: PrefillPrecision;
  corpus: string;
  folder: string;
  /** Of llama.cpp. */
  batches: number[];
  limit: DenseLimit;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      attention: { type: 'string', default: 'dense' },
      precision: { type: 'string', default: 'bf16' },
      model: { type: 'string' },
      corpus: { type: 'string', default: DEFAULT_CORPUS },
      batches: { type: 'string', default: '512,1024,2048' },
    },
  });
  const { attention, precision: prefillPrecision } = values;
  if (attention !== 'dense' && attention !== 'sample') throw new Error(`attention ${attention} is not known`);
  if (prefillPrecision !== 'bf16' && prefillPrecision !== 'fp8')
    throw new Error(`precision ${prefillPrecision} is not known`);
  const cacheDir =
    process.env.LONGVIEW_CACHE_DIR ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'longview');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-ttft-'));
  const setting: Setting = {
    serverPath: path.resolve(process.env.LONGVIEW_SERVER ?? 'out/server.js'),
    cacheDir,
    modelPath: path.resolve(values.model ?? path.join(cacheDir, 'models', MODEL_ID, 'model.gguf')),
    attention,
    prefillPrecision,
    corpus: values.corpus,
    folder,
    batches: values.batches.split(',').map(Number),
    limit: new DenseLimit(),
  };
  try {
    testEngine(setting);
    for (const part of positionals.length ? positionals : [...Object.keys(SIZES), 'load', 'cancel']) {
      const { rows, device } = await runPart(part, setting);
      await keep(rows, device, setting);
    }
  } finally {
    setting.limit.dispose();
    fs.rmSync(folder, { recursive: true });
  }
}

interface Measured {
  rows: BenchRow[];
  device: string;
}

function runPart(part: string, setting: Setting): Promise<Measured> {
  if (part === 'load') return measureLoad(setting);
  if (part === 'cancel') return measureStop(setting);
  if (part in SIZES) return measureSize(part, setting);
  throw new Error(`there is no part ${part}`);
}

/** The same binary on the same device, against transformers. */
function testEngine({ serverPath }: Setting): void {
  const addon = path.join(path.dirname(serverPath), 'longview-cuda.node');
  const test = ['out/test/engine-test.js', addon, 'test/fixtures/engine', '--only', 'golden'];
  process.stdout.write(execFileSync(process.execPath, test, { encoding: 'utf8' }));
}

/** Answers to prompts of one length, after one that warms up. */
function askCopies(size: string, setting: Setting): Promise<Answered[]> {
  const contextTokens = 1000 * Number.parseInt(size, 10) + ANSWER_TOKENS;
  return withServer(setting, async (server) => {
    const all: Answered[] = [];
    // The first warms up. Each has a context of its own, and so a load of its own: nothing is cached, not even the
    // instructions that every prompt starts with.
    for (let copy = 0; copy <= REPETITIONS; copy++) {
      const repository = path.join(setting.folder, `repository-${size}-${copy}`);
      await server.open(repository, writeCorpus(setting.corpus, repository, `copy ${copy}`));
      all.push(await server.ask(questionOf(setting, contextTokens + copy)));
    }
    return all.slice(1);
  });
}

/** Our own engine with dense attention in bf16, on the same prompts. */
async function ownDense(size: string, setting: Setting): Promise<PeerTime> {
  const answers = await askCopies(size, { ...setting, attention: 'dense', prefillPrecision: 'bf16' });
  const seconds = answers.map(({ record: { stagesMs } }) => (stagesMs.prefill + stagesMs.firstToken) / 1000);
  const checksums = answers.map(({ checksum }) => checksum).join(' ');
  return {
    peer: 'dense, bf16, same engine',
    seconds: spreadOf(seconds).median,
    note: `dense answers ${checksums}`,
  };
}

async function measureSize(size: string, setting: Setting): Promise<Measured> {
  const answers = await askCopies(size, setting);
  const { attention, prefillPrecision } = setting;
  const isExact = attention === 'dense' && prefillPrecision === 'bf16';
  const way = prefillPrecision === 'bf16' ? attention : `${attention}.fp8`;
  const records = answers.map(({ record }) => record);
  const promptTokens = records[0]?.promptTokens ?? 0;
  const note = [
    `prompts of ${records.map((record) => record.promptTokens).join(', ')} tokens`,
    `${Math.max(...records.map(({ cachedTokens }) => cachedTokens))} cached`,
    ...records.slice(0, 1).map(engineText),
    ...new Set(records.flatMap(({ notices }) => notices)),
    `answers ${answers.map(({ checksum }) => checksum).join(' ')}`,
  ].join('; ');
  const row = (id: string, unit: string, values: number[], what: string): BenchRow => {
    const spread = spreadOf(values);
    return { id, value: spread.median, unit, ...spread, note: `${what}; ${note}` };
  };
  const ttft = row(
    `ttft.${way}.${size}`,
    's',
    records.map(({ stagesMs }) => (stagesMs.prefill + stagesMs.firstToken) / 1000),
    'from the packed prompt to the first token, model loaded',
  );
  const rows = [
    beside(ttft, await (isExact ? setting.limit.of(promptTokens) : ownDense(size, setting))),
    row(
      `ttft.question.${way}.${size}`,
      's',
      records.map(({ ttftMs }) => ttftMs / 1000),
      'with reading, ranking, tokenizing and packing of a repository never seen, model loaded',
    ),
    row(
      `decode.server.${way}.${size}`,
      'tokens/s',
      records.map(({ decodeTokensPerSecond }) => decodeTokensPerSecond),
      'greedy, through the server',
    ),
  ];
  const repetitions = SIZES[size]?.llamaRepetitions;
  const folder = process.env.LONGVIEW_LLAMA_CPP;
  if (repetitions !== undefined && folder) {
    const { modelPath, corpus, folder: workFolder, batches } = setting;
    const options = {
      folder,
      modelPath,
      corpus,
      workFolder,
      promptTokens,
      repetitions,
      batches,
    };
    rows.push(beside({ ...ttft, id: `${ttft.id}.llamacpp` }, await llamaCpp(options)));
  }
  return { rows, device: records[0]?.device ?? '' };
}

/** A file that is cached by the system, a process that is new each time. */
async function measureLoad(setting: Setting): Promise<Measured> {
  fs.readFileSync(setting.modelPath);
  const seconds: number[] = [];
  let device = '';
  let contextTokens = 0;
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    await withServer(setting, async (server) => {
      const repository = path.join(setting.folder, `load-${repetition}`);
      await server.open(repository, writeCorpus(setting.corpus, repository, `copy ${repetition}`, 1));
      const { record } = await server.ask(questionOf(setting, LONG_PROMPT));
      const { ttftMs, stagesMs } = record;
      seconds.push((ttftMs - stagesMs.prefill - stagesMs.firstToken) / 1000);
      ({ device, contextTokens } = record);
    });
  }
  const spread = spreadOf(seconds);
  const note = `from a question to a new server until prefill: start of the engine process, context of CUDA, weights, KV for ${contextTokens} tokens, and packing of one file beside it; file cache warm`;
  return { rows: [{ id: 'load.warm', value: spread.median, unit: 's', ...spread, note }], device };
}

/** In the last third of a long prompt, where a layer takes longest. */
async function measureStop(setting: Setting): Promise<Measured> {
  return withServer(setting, async (server) => {
    const repository = path.join(setting.folder, 'stop');
    await server.open(repository, writeCorpus(setting.corpus, repository, 'to be stopped'));
    const question = questionOf(setting, LONG_PROMPT + ANSWER_TOKENS);
    const stops: number[] = [];
    // What was read before a stop is kept, so that the next one comes at once, at another place in a layer.
    for (let stop = 0; stop < STOPS; stop++) stops.push(await server.stopAfter(question, 0.7, 23 * stop));
    const { record } = await server.ask(question);
    const spread = spreadOf(stops);
    const note = `the longest of ${STOPS}, in the last third of ${record.promptTokens} tokens: from the client's cancellation until the server ends the request, which it does when the device has done all that it was given`;
    return {
      rows: [{ id: 'cancel.idle', value: spread.max, unit: 'ms', ...spread, note }],
      device: record.device,
    };
  });
}

async function withServer<T>(setting: Setting, use: (server: BenchServer) => Promise<T>): Promise<T> {
  const server = await BenchServer.start(setting);
  try {
    return await use(server);
  } finally {
    await server.dispose();
  }
}

function questionOf({ modelPath, attention }: Setting, contextTokens: number): Question {
  const device = (process.env.LONGVIEW_BENCH_DEVICE ?? 'cuda') as AskOptions['device'];
  return { modelPath, device, attention, contextTokens };
}

function beside(row: BenchRow, { peer, seconds, note }: PeerTime): BenchRow {
  return { ...row, peer, peerValue: seconds, ratio: seconds / row.value, note: `${row.note ?? ''}; ${note}` };
}

/** Adds `rows` to the record of this commit; those with sample attention or in fp8 have one of their own. */
async function keep(
  rows: BenchRow[],
  device: string,
  { attention, prefillPrecision }: Pick<Setting, 'attention' | 'prefillPrecision'>,
): Promise<void> {
  const parts = ['ttft', attention === 'sample' && 'sample', prefillPrecision === 'fp8' && 'fp8'];
  await addToRecord(folderOf(device), {
    bench: parts.filter(Boolean).join('-'),
    ...{ commit: commitUnderTest(), date: new Date().toISOString(), device, driver: driverVersion(), rows },
  });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
