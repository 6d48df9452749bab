import { createHash } from 'node:crypto';
import {
  Ask,
  type AskEvent,
  type AskOptions,
  type ManifestEntry,
  ManifestSync,
  PROTOCOL_VERSION,
  type PrefillPrecision,
  type TtftRecord,
} from '../../protocol';
import { RequestCancelledError } from '../../src/client/server-connection';
import { StdioConnection } from '../../src/client/stdio-connection';
import { ManifestSender } from '../../src/workspace/manifest-sender';

export interface ServerSetting {
  serverPath: string;
  cacheDir: string;
  prefillPrecision: PrefillPrecision;
}

export interface Question {
  modelPath: string;
  device: AskOptions['device'];
  attention: AskOptions['attention'];
  /** Prompt and answer together. */
  contextTokens: number;
}

export interface Answered {
  record: TtftRecord;
  /** Of the answer's text: the same prompt gives the same answer. */
  checksum: string;
}

const QUESTION = 'Which parts make up this program, and how does a question travel through them?';
export const ANSWER_TOKENS = 64;

/** A server process as a client sees it: its protocol over stdin and stdout. */
export class BenchServer {
  private readonly manifest: ManifestSender;

  private constructor(
    private readonly connection: StdioConnection,
    private readonly lines: string[],
  ) {
    this.manifest = new ManifestSender((params) => connection.request(ManifestSync, params));
  }

  static async start({ serverPath, cacheDir, prefillPrecision }: ServerSetting): Promise<BenchServer> {
    const lines: string[] = [];
    const connection = await StdioConnection.start({
      serverPath,
      initialization: { protocolVersion: PROTOCOL_VERSION, cacheDir, cpuThreads: 0, prefillPrecision },
      log: (line) => lines.push(line),
    });
    return new BenchServer(connection, lines);
  }

  /** Makes `folder` the repository that is asked about. */
  async open(folder: string, files: ManifestEntry[]): Promise<void> {
    await this.manifest.full([{ name: 'repository', path: folder }], [files]);
  }

  async ask(question: Question): Promise<Answered> {
    try {
      const { record, answer } = await this.send(question, new AbortController().signal, () => undefined);
      return { record, checksum: createHash('sha256').update(answer).digest('hex').slice(0, 12) };
    } catch (error) {
      throw new Error(`the server did not answer; it said:\n${this.lines.slice(-20).join('\n')}`, {
        cause: error,
      });
    }
  }

  /**
   * Asks, and stops `delayMs` after `share` of the prompt has been read. Milliseconds from the stop to the end of the
   * request: the server ends it when the device has done all that it was given.
   */
  async stopAfter(question: Question, share: number, delayMs: number): Promise<number> {
    const stop = new AbortController();
    let stoppedAt = 0;
    let isWaiting = false;
    const onEvent = (event: AskEvent): void => {
      if (event.kind !== 'prefill' || event.processed < share * event.total || isWaiting) return;
      isWaiting = true;
      setTimeout(() => {
        stoppedAt = performance.now();
        stop.abort();
      }, delayMs);
    };
    const outcome = await this.send(question, stop.signal, onEvent).catch((error: unknown) => error);
    const endedAt = performance.now();
    if (!(outcome instanceof RequestCancelledError)) throw new Error('the prompt was read before the stop');
    return endedAt - stoppedAt;
  }

  async dispose(): Promise<void> {
    await this.connection.dispose();
  }

  private send(question: Question, signal: AbortSignal, onEvent: (event: AskEvent) => void) {
    const { modelPath, device, attention, contextTokens } = question;
    const options: AskOptions = {
      ...{ model: modelPath, device, attention, contextTokens },
      quality: 'balanced',
      maxAnswerTokens: ANSWER_TOKENS,
      sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
    };
    const params = { question: QUESTION, history: [], attachments: [], options };
    return this.connection.request(Ask, params, { signal, onEvent });
  }
}
