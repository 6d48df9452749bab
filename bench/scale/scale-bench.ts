/**
 * How long a repository of 10,000 and of 100,000 files takes until its first prompt is packed: cold (no index) and
 * warm (with the index of the start before), each in a process of its own. `npm run bench -- scale [10k|100k]`.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { homedir, loadavg } from 'node:os';
import path from 'node:path';
import { type BenchRow, commitUnderTest, cpuDevice, spreadOf, writeRecord } from '../record';
import { type CorpusSize, writeCorpus } from './corpus';
import { type OneStart, type StartResult, startOnce } from './one-start';

const WORK = path.resolve('out', 'bench', 'scale');
const MODEL_ID = 'qwen2.5-coder-0.5b-instruct-q4_k_m';
const WARM_STARTS = 3;

const SIZES: Record<string, CorpusSize & { id: string; coldS: number; warmS: number; rssMb: number }> = {
  '10k': { id: 'context.10k', files: 10_000, bytes: 100e6, coldS: 30, warmS: 3, rssMb: 500 },
  '100k': { id: 'scale.100k', files: 100_000, bytes: 2e9, coldS: 60, warmS: 3, rssMb: 500 },
};

async function main(): Promise<void> {
  const [first, second] = process.argv.slice(2);
  if (first === 'start' && second !== undefined) {
    console.log(JSON.stringify(await startOnce(JSON.parse(second) as OneStart)));
    return;
  }
  const commit = commitUnderTest();
  const chosen = first === undefined ? Object.keys(SIZES) : [first];
  execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
  for (const name of chosen) {
    const size = SIZES[name];
    if (!size) throw new Error(`${name} is none of ${Object.keys(SIZES).join(', ')}`);
    await writeRecord('cpu', {
      bench: size.id,
      commit,
      date: new Date().toISOString(),
      device: cpuDevice(),
      driver: `node ${process.version}`,
      rows: measure(size),
    });
  }
}

function measure(size: (typeof SIZES)[string]): BenchRow[] {
  const folder = path.join(WORK, `${size.files}`);
  const indexFolder = path.join(WORK, `${size.files}-index`);
  writeCorpus(folder, size);
  const start = (): StartResult & { load: number } => {
    const load = loadavg()[0] ?? 0;
    const request: OneStart = { folder, indexFolder, modelPath: cachedModel() };
    const output = execFileSync(process.execPath, [process.argv[1] ?? '', 'start', JSON.stringify(request)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      maxBuffer: 1e9,
    });
    const result = { ...(JSON.parse(output) as StartResult), load };
    console.log(JSON.stringify(result));
    return result;
  };
  fs.rmSync(indexFolder, { recursive: true, force: true });
  fs.mkdirSync(indexFolder, { recursive: true });
  const cold = start();
  const warm = Array.from({ length: WARM_STARTS }, start);
  const warmS = spreadOf(warm.map(({ wallS }) => wallS));
  const about = `${cold.files} files, ${(size.bytes / 1e6).toFixed(0)} MB in eight languages; ${cold.promptTokens} tokens packed`;
  const rssMb = Math.max(cold.rssMb, ...warm.map((each) => each.rssMb));
  const blocked = [cold, ...warm].map((each) => each.blocked);
  return [
    {
      id: `${size.id}.cold`,
      value: cold.wallS,
      unit: 's',
      note: `${about}; files are in the page cache; ${cold.cpuS.toFixed(1)} s of processor time; load average ${cold.load.toFixed(1)} at the start; at most ${size.coldS} wanted`,
    },
    {
      id: `${size.id}.warm`,
      value: warmS.median,
      unit: 's',
      ...warmS,
      note: `index of the start before; ${warm.map((each) => each.cpuS.toFixed(1)).join(', ')} s of processor time; load average ${warm.map((each) => each.load.toFixed(1)).join(', ')}; at most ${size.warmS} wanted`,
    },
    {
      id: `${size.id}.edit`,
      value: spreadOf(warm.map((each) => each.editWallS)).median,
      unit: 's',
      note: 'from the edit of a file in the prompt to the next prompt',
    },
    {
      id: `${size.id}.rss`,
      value: Math.round(rssMb),
      unit: 'MB',
      note: `most of all starts, listing and context worker in one process; at most ${size.rssMb} wanted`,
    },
    {
      id: `${size.id}.blocked`,
      value: Math.round(Math.max(...blocked.map(({ ownMs }) => ownMs))),
      unit: 'ms',
      note: `longest that the thread which in the editor is the extension host was not free while files were listed and sent, without what it waited for a processor; with that, ${Math.round(Math.max(...blocked.map(({ wallMs }) => wallMs)))} ms; at most 50 wanted`,
    },
  ];
}

function cachedModel(): string {
  const cacheDir =
    process.env.LONGVIEW_CACHE_DIR ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'longview');
  return path.join(cacheDir, 'models', MODEL_ID, 'model.gguf');
}

void main().catch((error: unknown) => {
  console.error(error);
  // The context worker of a start that failed may still run.
  process.exit(1);
});
