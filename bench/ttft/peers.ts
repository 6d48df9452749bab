import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { openGguf } from '../../server/models/gguf/open-gguf';
import { tokenizerFromMetadata } from '../../server/tokenizer/from-gguf';
import { corpusText } from './corpus';

/** What a peer needs for a prompt, in seconds. */
export interface PeerTime {
  peer: string;
  seconds: number;
  note: string;
}

/** FA3's attention and cuBLAS's products of the same model, each in its own steady state: no engine is below their sum. */
export class DenseLimit {
  /** Started with the first question and kept: it takes longer to start than to answer. */
  private running: { child: ChildProcess; answers: AsyncIterator<string> } | undefined;

  /** @throws Error where Python, PyTorch or FA3 is missing; they have said so on stderr */
  async of(promptTokens: number): Promise<PeerTime> {
    this.running ??= start();
    const { child, answers } = this.running;
    child.stdin?.write(`${promptTokens}\n`);
    const answer = await answers.next();
    if (answer.done) throw new Error('the limit was not measured');
    return JSON.parse(answer.value) as PeerTime;
  }

  dispose(): void {
    this.running?.child.stdin?.end();
  }
}

function start(): { child: ChildProcess; answers: AsyncIterator<string> } {
  const script = path.join('bench', 'ttft', 'dense_limit.py');
  const child = spawn('python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, answers };
}

interface LlamaCppOptions {
  /** `llama_ttft/` of the bundle that `LONGVIEW_LLAMA_CPP` names: https://www.npmjs.com/package/node-llama-cpp, prebuilt. */
  folder: string;
  modelPath: string;
  corpus: string;
  workFolder: string;
  promptTokens: number;
  batches: readonly number[];
  repetitions: number;
}

interface LlamaCppLine {
  engine?: string;
  variant?: string;
  error?: string;
  batch: number;
  ttft_s: number;
  rope: string;
}

/** The best of the batch sizes; all that were tried are in the note. */
export async function llamaCpp(options: LlamaCppOptions): Promise<PeerTime> {
  const { folder, modelPath, workFolder, promptTokens, batches, repetitions } = options;
  const ids = path.join(workFolder, 'ids.json');
  fs.writeFileSync(ids, JSON.stringify([...(await firstIds(options))]));
  const out = path.join(workFolder, `llama-cpp-${promptTokens}.jsonl`);
  const env = { ...process.env, BATCH: batches.join(','), REPS: String(repetitions), MODE: 'raw', OUT: out };
  execFileSync('bash', [path.join(folder, 'run.sh'), modelPath, ids, String(promptTokens)], {
    env: { ...env, EXTRA: '--nowarmbatch' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const lines = fs
    .readFileSync(out, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LlamaCppLine);
  const failure = lines.find(({ error }) => error)?.error;
  if (failure) throw new Error(`llama.cpp failed: ${failure}`);
  const runs = lines.filter(({ engine }) => engine);
  const [first] = runs;
  if (!first) throw new Error('llama.cpp measured nothing');
  const medians = batches.map((batch) => ({
    batch,
    seconds: medianOf(runs.filter((run) => run.batch === batch)),
  }));
  const best = medians.reduce((a, b) => (b.seconds < a.seconds ? b : a));
  const all = medians.map(({ batch, seconds }) => `${batch}: ${seconds.toFixed(3)} s`).join(', ');
  return {
    peer: `${first.engine ?? ''}, ${first.variant ?? ''}, batch ${best.batch}`,
    seconds: best.seconds,
    note: `llama.cpp by the batch sizes tried, ${repetitions} each, flash attention, RoPE ${first.rope}: ${all}`,
  };
}

async function firstIds({ modelPath, corpus, promptTokens }: LlamaCppOptions): Promise<Int32Array> {
  const gguf = await openGguf(modelPath);
  try {
    const ids = tokenizerFromMetadata(gguf.metadata).encode(corpusText(corpus));
    if (ids.length < promptTokens)
      throw new Error(`the corpus has ${ids.length} tokens, not ${promptTokens}`);
    return Int32Array.from(ids.slice(0, promptTokens));
  } finally {
    await gguf.close();
  }
}

function medianOf(runs: LlamaCppLine[]): number {
  const seconds = runs.map((run) => run.ttft_s).sort((a, b) => a - b);
  const middle = seconds[seconds.length >> 1];
  if (middle === undefined) throw new Error('llama.cpp left a batch size out');
  return middle;
}
