// Time to first token on the GPU, at the server's protocol, for prompts of 8, 32 and 128 times 1,000 tokens of code.
//   npm run bench -- ttft [SIZES...]      SIZES in thousands of tokens; what was measured before at this commit stays
//   LONGVIEW_SERVER   the server to measure; default: out/server.js
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type BenchRecord, type BenchRow, commitUnderTest, spreadOf, writeRecord } from '../record';
import { type Answered, askOnce } from './ask-once';
import { writeCorpus } from './corpus';
import { withContext } from './long-context-model';

const MODEL_ID = 'qwen2.5-coder-1.5b-instruct-q4_k_m';
const SIZES = [8, 32, 128];
const REPETITIONS = 3;
/** Beyond the longest prompt with its answer. */
const CONTEXT_TOKENS = 160_000;

async function main(): Promise<void> {
  const commit = commitUnderTest();
  const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : SIZES;
  const serverPath = path.resolve(process.env.LONGVIEW_SERVER ?? 'out/server.js');
  const cacheDir =
    process.env.LONGVIEW_CACHE_DIR ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'longview');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-ttft-'));
  try {
    const modelPath = withContext(
      path.join(cacheDir, 'models', MODEL_ID, 'model.gguf'),
      CONTEXT_TOKENS,
      folder,
    );
    const rows: BenchRow[] = [];
    let device = '';
    for (const size of sizes) {
      const answers: Answered[] = [];
      for (let repetition = 0; repetition < REPETITIONS; repetition++) {
        const repository = path.join(folder, `repository-${size}-${repetition}`);
        writeCorpus(process.cwd(), repository, `copy ${repetition}`);
        answers.push(
          await askOnce({ serverPath, cacheDir, modelPath, repository, promptTokens: size * 1000 }),
        );
      }
      device = answers[0]?.record.device ?? '';
      rows.push(...rowsOf(size, answers));
    }
    const where = device.includes('H200') ? 'h200' : device.replaceAll(/\W+/g, '-').toLowerCase();
    const kept = earlierRows(where, commit).filter((row) => !rows.some(({ id }) => id === row.id));
    await writeRecord(where, {
      bench: 'ttft',
      commit,
      date: new Date().toISOString(),
      device,
      driver: driverVersion(),
      rows: [...kept, ...rows],
    });
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

function rowsOf(size: number, answers: readonly Answered[]): BenchRow[] {
  const records = answers.map(({ record }) => record);
  const note =
    `${records.map(({ promptTokens }) => promptTokens).join(', ')} prompt tokens, ${Math.max(...records.map(({ cachedTokens }) => cachedTokens))} cached, ` +
    `context length of the file raised; answers ${answers.map(({ checksum }) => checksum).join(' ')}`;
  const row = (id: string, unit: string, values: readonly number[], what: string): BenchRow => {
    const spread = spreadOf(values);
    return { id, value: spread.median, unit, ...spread, note: `${what}; ${note}` };
  };
  return [
    row(
      `ttft.dense.${size}k`,
      's',
      records.map(({ stagesMs }) => (stagesMs.prefill + stagesMs.firstToken) / 1000),
      'from the packed prompt to the first token, model loaded',
    ),
    row(
      `ttft.question.${size}k`,
      's',
      records.map(({ ttftMs, stagesMs }) => (ttftMs - stagesMs.load) / 1000),
      'with reading, ranking, tokenizing and packing of a repository never seen',
    ),
    row(
      `load.warm.${size}k`,
      's',
      records.map(({ stagesMs }) => stagesMs.load / 1000),
      'start of the engine process and load of the model',
    ),
    row(
      `decode.server.${size}k`,
      'tokens/s',
      records.map(({ decodeTokensPerSecond }) => decodeTokensPerSecond),
      'greedy, through the server',
    ),
  ];
}

/** What an interrupted or partial run measured at the same commit. */
function earlierRows(where: string, commit: string): BenchRow[] {
  const file = path.join('bench/results', where, 'ttft.json');
  if (!fs.existsSync(file)) return [];
  const record = JSON.parse(fs.readFileSync(file, 'utf8')) as BenchRecord;
  return record.commit === commit ? record.rows : [];
}

function driverVersion(): string {
  const query = ['--query-gpu=driver_version', '--format=csv,noheader'];
  return execFileSync('nvidia-smi', query, { encoding: 'utf8' }).split('\n')[0]?.trim() ?? '';
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
