import { createHash } from 'node:crypto';
import { Ask, ManifestSync, PROTOCOL_VERSION, type TtftRecord } from '../../protocol';
import { StdioConnection } from '../../src/client/stdio-connection';
import { nameRoots } from '../../src/workspace/roots';
import { syncOnce } from '../../src/workspace/workspace-sync';

export interface AskSetting {
  serverPath: string;
  cacheDir: string;
  modelPath: string;
  repository: string;
  promptTokens: number;
}

export interface Answered {
  record: TtftRecord;
  /** Of the answer's text: the same prompt gives the same answer. */
  checksum: string;
}

const QUESTION = 'Which parts make up this program, and how does a question travel through them?';
const ANSWER_TOKENS = 64;

/** One question to a server process of its own, so that nothing of an earlier prompt is cached. */
export async function askOnce(setting: AskSetting): Promise<Answered> {
  const lines: string[] = [];
  const server = await StdioConnection.start({
    serverPath: setting.serverPath,
    initialization: { protocolVersion: PROTOCOL_VERSION, cacheDir: setting.cacheDir, cpuThreads: 0 },
    log: (line) => lines.push(line),
  });
  try {
    await syncOnce(
      { roots: nameRoots([{ path: setting.repository }]), exclude: [] },
      {
        send: (params) => server.request(ManifestSync, params),
        report: ({ message }) => {
          throw new Error(message);
        },
        signal: new AbortController().signal,
      },
    );
    const { record, answer } = await server.request(
      Ask,
      {
        question: QUESTION,
        history: [],
        attachments: [],
        options: {
          model: setting.modelPath,
          device: 'cuda',
          attention: 'dense',
          quality: 'balanced',
          contextTokens: setting.promptTokens + ANSWER_TOKENS,
          maxAnswerTokens: ANSWER_TOKENS,
          sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
        },
      },
      { signal: new AbortController().signal, onEvent: () => undefined },
    );
    return { record, checksum: createHash('sha256').update(answer).digest('hex').slice(0, 12) };
  } catch (error) {
    throw new Error(`the server did not answer; it said:\n${lines.slice(-20).join('\n')}`, { cause: error });
  } finally {
    await server.dispose();
  }
}
