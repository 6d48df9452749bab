import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AskOptions, AskResult, ChatExchange } from '../../protocol';
import { IndexFile } from '../../server/context/index/index-file';
import { ChatSession } from '../../src/chat/chat-session';
import { ConversationStore } from '../../src/chat/conversation-store';
import type { StdioConnection } from '../../src/client/stdio-connection';
import type { AnswerService } from '../../src/session/answer-service';
import { ServerSession } from '../../src/session/server-session';
import { ensureModel } from './support/models';
import { CACHE_DIR, FAST_MODEL } from './support/places';
import {
  ASK_OPTIONS,
  childrenOf,
  fillerSource,
  sendWorkspace,
  startServer,
  type TempRepository,
  tempRepository,
} from './support/server';

const KILLS = 100;
const CHECK_EVERY = 20;
/** Warming and what it keeps, and an answer, take about as long as this. */
const WARMING_MS = 300;
const ANSWER_MS = 400;
const FILES = 6;
/** A window takes its server along. */
const VICTIMS = ['server', 'engine-host', 'window', 'engine-host'] as const;

const OPTIONS: AskOptions = {
  ...ASK_OPTIONS,
  device: 'cuda',
  attention: 'dense',
  contextTokens: 2048,
  maxAnswerTokens: 8,
};

/** The whole product but for the editor and the GPU, whose stand-in answers by every token that it holds. */
suite('killed at a hundred random moments', () => {
  let repo: TempRepository;
  let folder: string;
  let connection: StdioConnection | undefined;
  let session: ServerSession;
  let chat: ChatSession;
  let stored: unknown;

  suiteSetup(async () => {
    await ensureModel(FAST_MODEL);
    repo = await tempRepository({});
    folder = await mkdtemp(path.join(tmpdir(), 'longview-crash-'));
    process.env['NODE_OPTIONS'] = `--require ${path.resolve('test/integration/support/stand-in-gpu.cjs')}`;
    process.env['LONGVIEW_GPU_FAILS'] = path.join(folder, 'never');
  });
  suiteTeardown(async () => {
    delete process.env['NODE_OPTIONS'];
    delete process.env['LONGVIEW_GPU_FAILS'];
    await connection?.dispose();
    await repo.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  /** A folder for the caches of one user; the models are everybody's. */
  async function cacheFolder(name: string): Promise<string> {
    const cacheDir = await mkdtemp(path.join(folder, name));
    await symlink(path.join(CACHE_DIR, 'models'), path.join(cacheDir, 'models'));
    return cacheDir;
  }
  const start = (cacheDir: string) => startServer(cacheDir, { prefixCacheBytes: 1e9 });
  const sessionOf = (server: StdioConnection, warms: boolean) =>
    new ServerSession(
      () =>
        Promise.resolve({
          connection: server,
          files: {
            files: FILES,
            flush: async () => {
              await sendWorkspace(server, repo.path);
            },
            resend: () => Promise.resolve(),
            dispose: () => undefined,
          },
        }),
      () => OPTIONS,
      () => undefined,
      () => ({ enabled: warms, evenWhenBusy: true }),
    );
  /** The server of the window, which another one follows when it is killed. */
  const service: AnswerService = {
    ask: (...args) => session.ask(...args),
    countAttachments: (...args) => session.countAttachments(...args),
    find: (...args) => session.find(...args),
    listModels: () => session.listModels(),
    downloadModel: (...args) => session.downloadModel(...args),
  };
  async function openServer(cacheDir: string): Promise<void> {
    connection = await start(cacheDir);
    session = sessionOf(connection, true);
    await session.listFiles();
  }
  function openChat(): void {
    const warn = (message: string) => assert.fail(message);
    const memory = {
      get: () => stored,
      update: (_key: string, value: unknown) => {
        stored = structuredClone(value);
        return Promise.resolve();
      },
    };
    chat = new ChatSession(service, new ConversationStore(memory, warn), warn);
  }
  /** All files, one of them another than before; their times do not depend on when this runs. */
  async function edit(round: number): Promise<void> {
    for (let at = 0; at < FILES; at++) {
      const version = round - ((round - at + FILES) % FILES);
      const file = path.join(repo.path, `file${at}.ts`);
      await writeFile(file, fillerSource(`file${at}of${Math.max(version, 0)}`, 5));
      await utimes(file, 1e9 + version, 1e9 + version);
    }
  }

  /** Kills the process; the server where the engine host has not started yet. Tells whether the server lives. */
  async function kill(what: 'engine-host' | 'server'): Promise<boolean> {
    const server = connection?.serverPid ?? 0;
    const [host] = await childrenOf(server, 'engine-host');
    const isHost = what === 'engine-host' && host !== undefined;
    try {
      process.kill(isHost ? host : server, 'SIGKILL');
    } catch (error) {
      // It ended by itself a moment ago: killed before, say.
      assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH');
    }
    return isHost;
  }

  test('no exchange is lost, the index is whole or none, and what is reused answers as if it were computed', async function () {
    this.timeout(600_000);
    const cacheDir = await cacheFolder('killed');
    await edit(0);
    await openServer(cacheDir);
    openChat();
    const kept: ChatExchange[] = [];
    const outcomes = { done: 0, failed: 0, stopped: 0, reusedFromDisk: 0, indexes: 0 };
    for (let round = 1; round <= KILLS; round++) {
      await edit(round);
      await session.listFiles();
      // Warms at once; what it computes is kept on disk. The question then ends it somewhere.
      await session.settingsChanged();
      await delay(Math.random() * WARMING_MS);
      const victim = VICTIMS[round % VICTIMS.length] ?? 'server';
      const asking = chat.ask(`Which values are in round ${round}?`);
      await delay(Math.random() * ANSWER_MS);
      const serverLives = await kill(victim === 'engine-host' ? victim : 'server');
      await asking;
      if (victim === 'window') openChat();
      if (!serverLives) await openServer(cacheDir);

      const { exchanges } = chat.current;
      assert.deepEqual(exchanges.slice(0, -1), kept, `after round ${round}`);
      assert.deepEqual(
        (stored as { exchanges: ChatExchange[] }).exchanges,
        exchanges,
        `stored in round ${round}`,
      );
      const last = exchanges.at(-1)!;
      assert.notEqual(last.phase, 'running');
      if (last.phase === 'failed') assert.match(last.failure?.message ?? '', /killed|ended|SIGKILL|crashed/);
      outcomes[last.phase as 'done' | 'failed' | 'stopped']++;
      kept.push(last);
      const index = await new IndexFile(path.join(cacheDir, 'indexes'), [repo.path]).load();
      if (index) outcomes.indexes++;

      if (round % CHECK_EVERY !== 0) continue;
      const fromDisk = await answerOfNewServer(cacheDir);
      const computed = await answerOfNewServer(await cacheFolder('fresh'));
      assert.equal(computed.record.cachedTokens, 0);
      assert.equal(fromDisk.answer, computed.answer, `round ${round}`);
      assert.equal(fromDisk.record.promptTokens, computed.record.promptTokens);
      if (fromDisk.record.cacheSource === 'disk') outcomes.reusedFromDisk++;
      // A new conversation, so that no more is stored than a window keeps.
      chat.clear();
      kept.length = 0;
    }
    console.log(`      ${JSON.stringify(outcomes)}`);
    assert.ok(outcomes.done > 0 && outcomes.failed > 0, 'kills before and after the end of answers');
    assert.ok(outcomes.reusedFromDisk > 0, 'and something was reused');
    assert.ok(outcomes.indexes > 0);
    const unfinished = (await readdir(path.join(cacheDir, 'indexes'))).filter(
      (name) => !name.endsWith('.index'),
    );
    console.log(`      ${unfinished.length} indexes were left half written`);
  });

  /** What somebody is answered who opens the repository as it is now. */
  async function answerOfNewServer(cacheDir: string): Promise<AskResult> {
    const server = await start(cacheDir);
    try {
      return await sessionOf(server, false).ask(
        { question: 'Which values are there?', history: [], attachments: [] },
        () => undefined,
        new AbortController().signal,
      );
    } finally {
      await server.dispose();
    }
  }
});
