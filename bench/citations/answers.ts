import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { Ask, type AskOptions, ManifestSync, PROTOCOL_VERSION } from '../../protocol';
import { StdioConnection } from '../../src/client/stdio-connection';
import { syncOnce } from '../../src/workspace/workspace-sync';
import type { Question } from '../recall/questions';
import type { Repository } from '../recall/repositories';

/** What became of one question: enough to make every figure of, and to look at. */
const answered = z.object({
  commit: z.string(),
  repository: z.string(),
  question: z.string(),
  answerPath: z.string(),
  answer: z.string(),
  citations: z.array(
    z.object({ path: z.string(), startLine: z.int(), verified: z.boolean(), origin: z.string() }),
  ),
  /** The answer's file was in the prompt, whole or by its signatures. */
  wasPacked: z.boolean(),
  ttftMs: z.number(),
});
export type Answered = z.infer<typeof answered>;

/** Answers on disk, one a line, so that a run that is cut off goes on where it was. */
export class AnswerLog {
  private readonly kept: Answered[];

  /** @param commit answers of another one are not taken up */
  constructor(
    private readonly file: string,
    private readonly commit: string,
  ) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\n') : [];
    this.kept = lines
      .filter((line) => line !== '')
      .map((line) => answered.parse(JSON.parse(line)))
      .filter((each) => each.commit === commit);
  }

  get all(): readonly Answered[] {
    return this.kept;
  }

  has(repository: string, { text }: Question): boolean {
    return this.kept.some((each) => each.repository === repository && each.question === text);
  }

  add(answer: Omit<Answered, 'commit'>): void {
    const line = { commit: this.commit, ...answer };
    fs.appendFileSync(this.file, `${JSON.stringify(line)}\n`);
    this.kept.push(line);
  }
}

export interface Asking {
  serverPath: string;
  cacheDir: string;
  options: AskOptions;
  /** The question as it is asked. */
  words: (question: Question) => string;
}

/** Asks a server of its own every question about one repository that has no answer yet. */
export async function answerAll(repository: Repository, asking: Asking, log: AnswerLog): Promise<void> {
  const { id, root, questions } = repository;
  const open = questions.filter((question) => !log.has(id, question));
  if (open.length === 0) return;
  const lines: string[] = [];
  const connection = await StdioConnection.start({
    serverPath: asking.serverPath,
    initialization: { protocolVersion: PROTOCOL_VERSION, cacheDir: asking.cacheDir, cpuThreads: 0 },
    log: (line) => lines.push(line),
  });
  try {
    await sendFiles(connection, id, root);
    for (const question of open) log.add(await answer(connection, id, question, asking));
  } catch (error) {
    throw new Error(`${String(error)}\n${lines.slice(-20).join('\n')}`, { cause: error });
  } finally {
    await connection.dispose();
  }
}

async function sendFiles(connection: StdioConnection, name: string, root: string): Promise<void> {
  await syncOnce(
    { roots: [{ name, path: root }], exclude: [] },
    {
      send: (params) => connection.request(ManifestSync, params),
      report: ({ message }) => {
        throw new Error(message);
      },
      signal: new AbortController().signal,
    },
  );
}

async function answer(
  connection: StdioConnection,
  repository: string,
  question: Question,
  { options, words }: Asking,
): Promise<Omit<Answered, 'commit'>> {
  const asked = { question: words(question), history: [], attachments: [], options };
  const { answer: text, citations, inclusion, record } = await connection.request(Ask, asked);
  const packed = inclusion.included.find((file) => file.path === question.answerPath);
  console.log(`${repository}: ${citations.filter(({ verified }) => verified).length} verified`);
  return {
    repository,
    question: question.text,
    answerPath: question.answerPath,
    answer: text,
    citations: citations.map(({ path: file, startLine, verified, origin }) => ({
      path: file,
      startLine,
      verified,
      origin,
    })),
    wasPacked: packed !== undefined && packed.detail !== 'path',
    ttftMs: record.ttftMs,
  };
}
