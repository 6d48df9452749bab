import { strict as assert } from 'node:assert';
import { homedir, loadavg } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { GgufValue } from '../../server/models/gguf/gguf-file';
import { openGguf } from '../../server/models/gguf/open-gguf';
import { tokenizerFromMetadata } from '../../server/tokenizer/from-gguf';
import { type BenchRow, commitUnderTest, cpuDevice, spreadOf, writeRecord } from '../record';
import { readCorpus } from './corpus';
import { createPeer, peerName } from './peer';

const MODEL_ID = 'qwen2.5-coder-0.5b-instruct-q4_k_m';
const REPETITIONS = 5;
const LONG_RUN_LETTERS = 80_000;

type Encode = (text: string) => ArrayLike<number>;
type Metadata = ReadonlyMap<string, GgufValue>;

/** One fresh tokenizer: how long it took to build, and its first and second pass over the corpus. */
interface Samples {
  constructS: number[];
  /** As `constructS`, processor time. */
  constructCpuS: number[];
  coldTokensPerSecond: number[];
  warmTokensPerSecond: number[];
  /** The first pass again, by processor time: it tells whether a busy machine bent the other figures. */
  coldTokensPerCpuSecond: number[];
}

async function main(): Promise<void> {
  const commit = commitUnderTest();
  const loadAverage = loadavg()[0] ?? 0;
  const metadata = await readMetadata(process.argv[2] ?? cachedModel());
  const texts = await readCorpus();
  const createOurs = (): Encode => {
    const tokenizer = tokenizerFromMetadata(metadata);
    return (text) => tokenizer.encode(text);
  };
  const createTheirs = (): Encode => {
    const peer = createPeer(metadata);
    return (text) => peer.encode(text, { add_special_tokens: false }).ids;
  };

  const tokenCount = checkSameIds(createOurs(), createTheirs(), texts);
  const ours = emptySamples();
  const theirs = emptySamples();
  // In turns, so that a busy moment of the machine hits both.
  for (let repetition = 0; repetition < REPETITIONS; repetition++) {
    sample(createOurs, texts, tokenCount, ours);
    sample(createTheirs, texts, tokenCount, theirs);
  }
  await writeRecord('cpu', {
    bench: 'tokenizer',
    commit,
    date: new Date().toISOString(),
    device: cpuDevice(),
    driver: `node ${process.version}`,
    rows: [...rowsOf(ours, theirs, texts, tokenCount, loadAverage), longRunRow(createOurs())],
  });
}

function cachedModel(): string {
  const cacheDir =
    process.env.LONGVIEW_CACHE_DIR ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'longview');
  return path.join(cacheDir, 'models', MODEL_ID, 'model.gguf');
}

async function readMetadata(modelPath: string): Promise<Metadata> {
  const file = await openGguf(modelPath);
  await file.close();
  return file.metadata;
}

/** Tokens of all texts. @throws AssertionError when the two disagree on any text */
function checkSameIds(ours: Encode, theirs: Encode, texts: readonly string[]): number {
  let tokens = 0;
  texts.forEach((text, index) => {
    const ids = ours(text);
    assert.deepEqual(Array.from(ids), Array.from(theirs(text)), `text ${index} is encoded differently`);
    tokens += ids.length;
  });
  return tokens;
}

const emptySamples = (): Samples => ({
  constructS: [],
  constructCpuS: [],
  coldTokensPerSecond: [],
  warmTokensPerSecond: [],
  coldTokensPerCpuSecond: [],
});

function sample(create: () => Encode, texts: readonly string[], tokenCount: number, into: Samples): void {
  const start = performance.now();
  const cpuStart = process.cpuUsage();
  const encode = create();
  into.constructS.push((performance.now() - start) / 1000);
  into.constructCpuS.push(cpuSecondsSince(cpuStart));
  const passS = (): number => {
    const passStart = performance.now();
    for (const text of texts) encode(text);
    return (performance.now() - passStart) / 1000;
  };
  const cpuBeforePass = process.cpuUsage();
  into.coldTokensPerSecond.push(tokenCount / passS());
  into.coldTokensPerCpuSecond.push(tokenCount / cpuSecondsSince(cpuBeforePass));
  into.warmTokensPerSecond.push(tokenCount / passS());
}

function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function rowsOf(
  ours: Samples,
  theirs: Samples,
  texts: readonly string[],
  tokenCount: number,
  loadAverage: number,
): BenchRow[] {
  const characters = texts.reduce((total, text) => total + text.length, 0);
  const corpus = `${texts.length} files, ${characters} characters, ${tokenCount} tokens, ids identical; ${REPETITIONS} repetitions in turns; load average ${loadAverage.toFixed(1)} at the start`;
  const rate = (id: string, mine: number[], peers: number[], note: string): BenchRow => {
    const spread = spreadOf(mine);
    const peerValue = spreadOf(peers).median;
    return {
      id,
      value: Math.round(spread.median),
      unit: 'tokens/s',
      peer: peerName(),
      peerValue: Math.round(peerValue),
      ratio: spread.median / peerValue,
      min: Math.round(spread.min),
      median: Math.round(spread.median),
      max: Math.round(spread.max),
      note: `${note}; ${corpus}`,
    };
  };
  const construct = spreadOf(ours.constructS);
  const peerConstructS = spreadOf(theirs.constructS).median;
  return [
    rate('tokenizer', ours.coldTokensPerSecond, theirs.coldTokensPerSecond, 'caches empty, code compiled'),
    rate('tokenizer.warm', ours.warmTokensPerSecond, theirs.warmTokensPerSecond, 'second pass'),
    rate(
      'tokenizer.cpuTime',
      ours.coldTokensPerCpuSecond,
      theirs.coldTokensPerCpuSecond,
      'as `tokenizer`, a second of processor time (garbage collector included) instead of one on the clock',
    ),
    {
      id: 'tokenizer.construct',
      value: construct.median,
      unit: 's',
      peer: peerName(),
      peerValue: peerConstructS,
      ratio: peerConstructS / construct.median,
      ...construct,
      note: `from the metadata in memory to a usable tokenizer, vocabulary of 151,936; ${spreadOf(ours.constructCpuS).median.toFixed(3)} s of processor time`,
    },
  ];
}

/** One word of 80,000 letters, ten times longer than which it takes about ten times as long. */
function longRunRow(encode: Encode): BenchRow {
  const secondsFor = (letters: number): number => {
    const text = Array.from({ length: letters }, (_, i) =>
      'etaoinshrdlu'.charAt((i * i + (i >> 3)) % 12),
    ).join('');
    const start = performance.now();
    encode(text);
    return (performance.now() - start) / 1000;
  };
  const spread = spreadOf(Array.from({ length: REPETITIONS }, () => secondsFor(LONG_RUN_LETTERS)));
  const tenfold = spreadOf(Array.from({ length: 3 }, () => secondsFor(10 * LONG_RUN_LETTERS))).median;
  return {
    id: 'tokenizer.longRun',
    value: spread.median,
    unit: 's',
    ...spread,
    note: `one word of ${LONG_RUN_LETTERS} letters; one of ${10 * LONG_RUN_LETTERS} takes ${tenfold.toFixed(3)} s`,
  };
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
