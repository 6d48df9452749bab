import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Ask,
  type AskOptions,
  type AskResult,
  DidChangeEngineStatus,
  type EngineStatus,
  type ManifestEntry,
  ManifestSync,
  PROTOCOL_VERSION,
  PurgePrefixCache,
  WarmPrefix,
} from '../../protocol';
import { StdioConnection } from '../../src/client/stdio-connection';
import { ManifestSender } from '../../src/workspace/manifest-sender';

export interface SessionSetting {
  serverPath: string;
  cacheDir: string;
  repository: string;
  options: AskOptions;
  /** 0: nothing is kept on disk. */
  prefixCacheBytes: number;
}

const POLL_MS = 20;
const SETTLED_MS = 1500;
const WARM_LIMIT_MS = 900_000;

/** A server of its own with one repository, as an editor has it. */
export class Session {
  private status: EngineStatus | undefined;
  private readonly manifest: ManifestSender;

  private constructor(
    private readonly connection: StdioConnection,
    private readonly setting: SessionSetting,
    private readonly log: string[],
  ) {
    this.manifest = new ManifestSender((params) => connection.request(ManifestSync, params));
    connection.onNotification(DidChangeEngineStatus, (status) => {
      this.status = status;
    });
  }

  /** A session for `work`, closed whatever comes of it. */
  static async with<T>(setting: SessionSetting, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await Session.open(setting);
    try {
      return await work(session);
    } catch (error) {
      throw new Error(`${String(error)}\n${session.log.slice(-20).join('\n')}`, { cause: error });
    } finally {
      await session.connection.dispose();
    }
  }

  private static async open(setting: SessionSetting): Promise<Session> {
    const log: string[] = [];
    const { serverPath, cacheDir, prefixCacheBytes } = setting;
    const connection = await StdioConnection.start({
      serverPath,
      initialization: { protocolVersion: PROTOCOL_VERSION, cacheDir, cpuThreads: 0, prefixCacheBytes },
      log: (line) => log.push(line),
    });
    const session = new Session(connection, setting, log);
    await session.sync().catch(async (error: unknown) => {
      await connection.dispose();
      throw error;
    });
    return session;
  }

  /** Sends the file list as it is now. */
  async sync(): Promise<void> {
    const { repository } = this.setting;
    const entries = fs
      .readdirSync(repository, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry): ManifestEntry => {
        const file = path.join(entry.parentPath, entry.name);
        const { size, mtimeMs } = fs.statSync(file);
        return { root: 0, path: path.relative(repository, file), sizeBytes: size, mtimeMs };
      });
    await this.manifest.full([{ name: 'repository', path: repository }], [entries]);
  }

  /** Has the repository computed ahead; returns how long that took, in ms. */
  async warm(): Promise<number> {
    const startMs = performance.now();
    const { options } = this.setting;
    this.status = undefined;
    await this.connection.notify(WarmPrefix, { enabled: false, options });
    await this.connection.notify(WarmPrefix, { enabled: true, options, evenWhenBusy: true });
    while (!this.isWarm) {
      if (performance.now() - startMs > WARM_LIMIT_MS) {
        throw new Error(`the repository is not warm: ${JSON.stringify(this.status)}\n${this.log.join('\n')}`);
      }
      await delay(POLL_MS);
    }
    return performance.now() - startMs;
  }

  private get isWarm(): boolean {
    return this.status?.warm?.state === 'warm';
  }

  /** Nothing is computed ahead from here on: what is measured next is measured alone. */
  async rest(): Promise<void> {
    await this.connection.notify(WarmPrefix, { enabled: false, options: this.setting.options });
  }

  async ask(question: string): Promise<AskResult> {
    return this.connection.request(
      Ask,
      { question, history: [], attachments: [], options: this.setting.options },
      { signal: new AbortController().signal, onEvent: () => undefined },
    );
  }

  /** Resolves when nothing more is written to disk; returns the bytes there. */
  async stored(): Promise<number> {
    const folder = path.join(this.setting.cacheDir, 'kv');
    let before = -1;
    for (;;) {
      const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
      const bytes = names.reduce((sum, name) => sum + fs.statSync(path.join(folder, name)).size, 0);
      if (bytes > 0 && bytes === before) return bytes;
      before = bytes;
      await delay(SETTLED_MS);
    }
  }

  async purge(): Promise<void> {
    await this.connection.request(PurgePrefixCache, {});
  }
}
