/**
 * How often the file that answers a question is in the prompt: `npm run bench -- recall [tuning] [noise]`. With `noise`,
 * files have times of edits that say nothing, and nothing is recorded.
 *
 * Questions come by the rule of `questions.ts`. Found means that the prompt shows the text of the file or
 * signatures of it; its path alone is not enough, for any system. Longview's whole prompt fits the budget, with
 * instructions and question, and most of it is chosen without knowing the question; the peers may give all of the budget
 * to what the question asks for. A map of aider's may be 15% longer than the budget, which is its own tolerance.
 */
import { homedir, loadavg } from 'node:os';
import path from 'node:path';
import { openGguf } from '../../server/models/gguf/open-gguf';
import { tokenizerFromMetadata } from '../../server/tokenizer/from-gguf';
import { type BenchRow, commitUnderTest, cpuDevice, writeRecord } from '../record';
import { tokenizerJsonOf } from '../tokenizer/peer';
import { aiderMaps, aiderName } from './aider-map';
import { Longview } from './longview';
import { noise, oneTime, type Repository, repositoriesOf, type SetName } from './repositories';
import { minisearchName, WholeFileBm25 } from './whole-file-bm25';

const BUDGETS = [8, 32, 128] as const;
const QUESTIONS_EACH = 40;
const MODEL_ID = 'qwen2.5-coder-0.5b-instruct-q4_k_m';

/** Questions answered, of how many, within one budget. */
interface Found {
  ours: number;
  oursWhole: number;
  bm25: number;
  aider: number;
}

async function main(): Promise<void> {
  const set: SetName = process.argv.includes('tuning') ? 'tuning' : 'reporting';
  const isNoisy = process.argv.includes('noise');
  const commit = commitUnderTest();
  const modelPath = cachedModel();
  const file = await openGguf(modelPath);
  await file.close();
  const tokenizer = tokenizerFromMetadata(file.metadata);
  const repositories = repositoriesOf(set, QUESTIONS_EACH, isNoisy ? noise : oneTime);
  const found = new Map(BUDGETS.map((budget) => [budget, { ours: 0, oursWhole: 0, bm25: 0, aider: 0 }]));
  for (const repository of repositories) {
    const tokensOf = new Map(repository.files.map((each) => [each.path, tokenizer.encode(each.text).length]));
    const total = [...tokensOf.values()].reduce((sum, tokens) => sum + tokens, 0);
    console.log(
      `${repository.id}: ${repository.files.length} files, ${total} tokens, ${repository.questions.length} questions`,
    );
    const here = await ask(repository, modelPath, tokensOf, tokenizerJsonOf(file.metadata));
    for (const [budget, counts] of here) {
      console.log(`  ${budget}K: ${JSON.stringify(counts)}`);
      add(found.get(budget), counts);
    }
  }
  const rows = BUDGETS.flatMap((budget) => rowsOf(budget, found.get(budget), repositories));
  if (set === 'tuning' || isNoisy) {
    for (const { id, value, ratio } of rows) console.log(`${id}: ${value} ${ratio ?? ''}`);
    return;
  }
  await writeRecord('cpu', {
    bench: 'recall',
    commit,
    date: new Date().toISOString(),
    device: cpuDevice(),
    driver: `node ${process.version}; load average ${loadavg()[0]?.toFixed(1) ?? ''}`,
    rows,
  });
}

function cachedModel(): string {
  const cacheDir =
    process.env.LONGVIEW_CACHE_DIR ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'longview');
  return path.join(cacheDir, 'models', MODEL_ID, 'model.gguf');
}

async function ask(
  repository: Repository,
  modelPath: string,
  tokensOf: ReadonlyMap<string, number>,
  tokenizerJson: object,
): Promise<Map<(typeof BUDGETS)[number], Found>> {
  const longview = await Longview.open(repository, modelPath);
  const bm25 = new WholeFileBm25(repository, tokensOf);
  const maps = aiderMaps(
    repository,
    tokenizerJson,
    BUDGETS.map((budget) => budget * 1000),
  );
  const found = new Map<(typeof BUDGETS)[number], Found>();
  for (const [at, budget] of BUDGETS.entries()) {
    const counts: Found = { ours: 0, oursWhole: 0, bm25: 0, aider: 0 };
    for (const [number, { text, answerPath }] of repository.questions.entries()) {
      const { inclusion } = await longview.pack(text, budget * 1000);
      const entry = inclusion.included.find((each) => each.path === answerPath);
      if (entry && entry.detail !== 'path') counts.ours++;
      if (entry && !entry.detail) counts.oursWhole++;
      if (bm25.take(text, budget * 1000).has(answerPath)) counts.bm25++;
      if (maps[number]?.[at]?.files[answerPath]?.trim()) counts.aider++;
    }
    found.set(budget, counts);
  }
  return found;
}

function add(sum: Found | undefined, counts: Found): void {
  if (!sum) return;
  for (const key of ['ours', 'oursWhole', 'bm25', 'aider'] as const) sum[key] += counts[key];
}

function rowsOf(budget: number, found: Found | undefined, repositories: readonly Repository[]): BenchRow[] {
  const asked = repositories.reduce((sum, { questions }) => sum + questions.length, 0);
  if (!found || asked === 0) throw new Error(`no questions for ${budget}K`);
  const share = (count: number): number => Number((count / asked).toFixed(4));
  const isBm25Better = found.bm25 >= found.aider;
  const [peer, best] = isBm25Better ? [minisearchName(), found.bm25] : [aiderName(), found.aider];
  const others = `${minisearchName()} ${share(found.bm25)}, ${aiderName()} ${share(found.aider)}`;
  const names = repositories.map(({ id, version }) => `${id} ${version}`).join(', ');
  return [
    {
      id: `recall.${budget}k`,
      value: share(found.ours),
      unit: '',
      peer,
      peerValue: share(best),
      ratio: found.ours / best,
      note: `${asked} questions on ${names}; whole text or signatures of the answer's file in the prompt; ${others}`,
    },
    {
      id: `recall.${budget}k.whole`,
      value: share(found.oursWhole),
      unit: '',
      note: 'of the same questions, those whose file is there as a whole',
    },
  ];
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
