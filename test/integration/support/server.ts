import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  Ask,
  type AskEvent,
  type AskOptions,
  type AskResult,
  type InitializationOptions,
  ManifestSync,
  PROTOCOL_VERSION,
} from '../../../protocol';
import { StdioConnection } from '../../../src/client/stdio-connection';
import { nameRoots } from '../../../src/workspace/roots';
import { syncOnce } from '../../../src/workspace/workspace-sync';
import { builtFile, CACHE_DIR, FAST_MODEL } from './places';

/** Starts a real server process. */
export function startServer(
  cacheDir = CACHE_DIR,
  more: Partial<InitializationOptions> = {},
): Promise<StdioConnection> {
  return StdioConnection.start({
    serverPath: builtFile('server.js'),
    initialization: { protocolVersion: PROTOCOL_VERSION, cacheDir, cpuThreads: 0, ...more },
    log: () => undefined,
  });
}

export interface TempRepository {
  path: string;
  dispose: () => Promise<void>;
}

/** A fresh folder with the given files. */
export async function tempRepository(files: Record<string, string | Uint8Array>): Promise<TempRepository> {
  const folder = await mkdtemp(path.join(tmpdir(), 'longview-repo-'));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content);
  }
  return { path: folder, dispose: () => rm(folder, { recursive: true }) };
}

/** Source text of about `lines` lines that says nothing twice. */
export function fillerSource(name: string, lines: number): string {
  const body = Array.from(
    { length: lines },
    (_, line) => `export const ${name}Value${line} = compute${line % 7}(${line * 17}, '${name} ${line}');`,
  );
  return `${body.join('\n')}\n`;
}

export function sendWorkspace(connection: StdioConnection, repo: string): Promise<number> {
  return syncOnce(
    { roots: nameRoots([{ path: repo }]), exclude: [] },
    {
      send: (params) => connection.request(ManifestSync, params),
      report: ({ message }) => {
        throw new Error(message);
      },
      signal: new AbortController().signal,
    },
  );
}

export interface Asked {
  result: Promise<AskResult>;
  events: AskEvent[];
  /** Resolves with the first event of that kind. */
  first: (kind: AskEvent['kind']) => Promise<AskEvent>;
  stop: () => void;
}

/** Short and greedy, of the smallest model: what `ask` asks with, and tests that have their own way to ask. */
export const ASK_OPTIONS: AskOptions = {
  model: FAST_MODEL,
  device: 'auto',
  attention: 'auto',
  quality: 'balanced',
  contextTokens: 1024,
  maxAnswerTokens: 16,
  sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
};

/** Asks with the fast model and greedy sampling; the events are kept. */
export function ask(connection: StdioConnection, question: string, options: Partial<AskOptions> = {}): Asked {
  const events: AskEvent[] = [];
  const waiting = new Map<AskEvent['kind'], (event: AskEvent) => void>();
  const controller = new AbortController();
  const result = connection.request(
    Ask,
    {
      question,
      history: [],
      attachments: [],
      options: {
        ...ASK_OPTIONS,
        ...options,
      },
    },
    {
      signal: controller.signal,
      onEvent: (event) => {
        events.push(event);
        waiting.get(event.kind)?.(event);
      },
    },
  );
  const first = (kind: AskEvent['kind']): Promise<AskEvent> => {
    const seen = events.find((event) => event.kind === kind);
    if (seen) return Promise.resolve(seen);
    const arrival = new Promise<AskEvent>((resolve) => waiting.set(kind, resolve));
    // A question that fails first must not leave the test waiting for the event.
    const failure = result.then(() => {
      throw new Error(`the answer came without "${kind}"`);
    });
    return Promise.race([arrival, failure]);
  };
  return { result, events, first, stop: () => controller.abort() };
}

/** Process ids of the children of `pid` whose command line contains `text`. Linux only. */
export async function childrenOf(pid: number, text: string): Promise<number[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found: number[] = [];
  for (const name of names) {
    const [stat, command] = await Promise.all([
      readFile(`/proc/${name}/stat`, 'utf8').catch(() => ''),
      readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => ''),
    ]);
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    if (parent === pid && command.includes(text)) found.push(Number(name));
  }
  return found;
}
