/**
 * How often an answer cites a place that holds what it claims: `npm run bench -- citations`.
 *
 * Fifty questions by the rule of bench/recall, ten about each of its reporting repositories, through the real server
 * with the default model of a CPU and the default settings. An answer counts when at least one of its citations is
 * verified: the cited lines, as the model was shown them, hold the symbol or the quote. It says nothing of whether the
 * answer is right; `citations.file` is nearer to that.
 *
 * Goes on where an earlier run of the same commit was cut off, and records how many questions were asked.
 *   LONGVIEW_SERVER   the server to measure; default: out/server.js
 */
import { homedir, loadavg } from 'node:os';
import path from 'node:path';
import { askOptionsOf, readSettings } from '../../src/config';
import { repositoriesOf } from '../recall/repositories';
import { type BenchRow, commitUnderTest, cpuDevice, spreadOf, writeRecord } from '../record';
import { type Answered, AnswerLog, type Asking, answerAll } from './answers';

const QUESTIONS_EACH = 10;
const MODEL_ID = 'qwen2.5-coder-0.5b-instruct-q4_k_m';

async function main(): Promise<void> {
  const commit = commitUnderTest();
  const log = new AnswerLog(path.resolve('out', 'bench', 'citations', 'answers.jsonl'), commit);
  const repositories = repositoriesOf('reporting', QUESTIONS_EACH);
  const asking: Asking = {
    serverPath: path.resolve(process.env.LONGVIEW_SERVER ?? path.join('out', 'server.js')),
    cacheDir:
      process.env.LONGVIEW_CACHE_DIR ??
      path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'longview'),
    options: {
      ...askOptionsOf(readSettings({ get: () => undefined }).settings),
      model: MODEL_ID,
      device: 'cpu',
    },
    words: ({ text }) =>
      `Which function, class or method does this, and in which file is it defined? ${text}`,
  };
  const wanted = repositories.reduce((sum, { questions }) => sum + questions.length, 0);
  for (const repository of repositories) {
    await answerAll(repository, asking, log);
    // After each repository: what is measured is not lost with the rest.
    const names = repositories.map(({ id, version }) => `${id} ${version}`).join(', ');
    await writeRecord('cpu', {
      bench: 'citations',
      commit,
      date: new Date().toISOString(),
      device: cpuDevice(),
      driver: `node ${process.version}; load average ${loadavg()[0]?.toFixed(1) ?? ''}`,
      rows: rowsOf(log.all, `${log.all.length} of ${wanted} questions asked, on ${names}; ${MODEL_ID}`),
    });
  }
}

function rowsOf(answers: readonly Answered[], note: string): BenchRow[] {
  const share = (holds: (answer: Answered) => boolean): number =>
    Number((answers.filter(holds).length / answers.length).toFixed(4));
  const places = answers.flatMap(({ citations }) => citations);
  const verified = places.filter((place) => place.verified).length;
  const ttft = spreadOf(answers.map(({ ttftMs }) => ttftMs));
  return [
    {
      id: 'citations.verified',
      value: share(({ citations }) => citations.some((each) => each.verified)),
      unit: '',
      note: `at least one verified citation; ${note}`,
    },
    {
      id: 'citations.file',
      value: share(({ citations, answerPath }) =>
        citations.some((each) => each.verified && each.path === answerPath),
      ),
      unit: '',
      note: 'a verified citation in the file that answers the question',
    },
    {
      id: 'citations.packed',
      value: share(({ wasPacked }) => wasPacked),
      unit: '',
      note: 'the file that answers was in the prompt, whole or by its signatures: the most that citations.file can be',
    },
    {
      id: 'citations.places',
      value: places.length === 0 ? 0 : Number((verified / places.length).toFixed(4)),
      unit: '',
      note: `${verified} of ${places.length} cited places are verified; the others are marked so in the view`,
    },
    { id: 'citations.ttft', value: ttft.median, unit: 'ms', ...ttft, note: 'on a machine that others used' },
  ];
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
