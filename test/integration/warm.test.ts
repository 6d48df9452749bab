import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DidChangeEngineStatus, type EngineStatus, PurgePrefixCache, WarmPrefix } from '../../protocol';
import type { StdioConnection } from '../../src/client/stdio-connection';
import { ensureModel } from './support/models';
import { CACHE_DIR, FAST_MODEL } from './support/places';
import {
  ASK_OPTIONS,
  ask,
  fillerSource,
  sendWorkspace,
  startServer,
  type TempRepository,
  tempRepository,
} from './support/server';

suite('the repository ahead of questions', () => {
  let repo: TempRepository;
  let server: StdioConnection;
  let status: EngineStatus | undefined;

  suiteSetup(async () => {
    await ensureModel(FAST_MODEL);
    repo = await tempRepository({
      'README.md': 'A small program that greets.\n',
      'src/greet.ts': fillerSource('greet', 6),
      'src/part.ts': fillerSource('part', 6),
    });
    await age('README.md', 300);
    await age('src/greet.ts', 200);
    await age('src/part.ts', 100);
    server = await startServer();
    server.onNotification(DidChangeEngineStatus, (next) => {
      status = next;
    });
    await sendWorkspace(server, repo.path);
  });
  suiteTeardown(async () => {
    await server.dispose();
    await repo.dispose();
  });

  async function age(name: string, seconds: number): Promise<void> {
    const at = new Date(Date.now() - seconds * 1000);
    await utimes(path.join(repo.path, name), at, at);
  }
  async function warm(): Promise<void> {
    for (let i = 0; i < 600 && status?.warm?.state !== 'warm'; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(status?.warm?.state, 'warm', JSON.stringify(status));
  }

  test('a question finds it computed, and is answered as if it had computed it itself', async () => {
    await server.notify(WarmPrefix, { enabled: true, options: ASK_OPTIONS, evenWhenBusy: true });
    await warm();
    const question = 'What does the program do?';
    const { record, answer } = await ask(server, question).result;
    const own = record.promptTokens - record.cachedTokens;
    assert.ok(own < 80, `${own} of ${record.promptTokens} tokens were computed`);
    assert.equal(record.cacheMiss, undefined);

    const cold = await startServer();
    try {
      await sendWorkspace(cold, repo.path);
      const first = await ask(cold, question).result;
      assert.equal(first.record.cachedTokens, 0);
      assert.match(first.record.cacheMiss ?? '', /first prompt since the model was loaded/);
      assert.equal(first.answer, answer);
    } finally {
      await cold.dispose();
    }
  });

  test('what is on disk answers for a new server, byte for byte alike, and a purge removes it', async () => {
    const cacheDir = await mkdtemp(path.join(tmpdir(), 'longview-disk-'));
    const folder = path.join(cacheDir, 'kv');
    const stored = async () => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.kv'));
    try {
      await symlink(path.join(CACHE_DIR, 'models'), path.join(cacheDir, 'models'));
      const question = 'What does the program do?';
      const first = await startServer(cacheDir, { prefixCacheBytes: 1e9 });
      await sendWorkspace(first, repo.path);
      await first.notify(WarmPrefix, { enabled: true, options: ASK_OPTIONS, evenWhenBusy: true });
      for (let i = 0; i < 600 && (await stored()).length < 2; i++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const { answer } = await ask(first, question).result;
      await first.dispose();
      const blocks = await stored();
      assert.ok(blocks.length >= 2, `${blocks.length} blocks of 128 tokens`);
      assert.equal((await stat(folder)).mode & 0o777, 0o700);

      const second = await startServer(cacheDir, { prefixCacheBytes: 1e9 });
      await sendWorkspace(second, repo.path);
      const restored = await ask(second, question).result;
      assert.equal(restored.record.cacheSource, 'disk');
      assert.ok(restored.record.cachedTokens >= 2 * 128);
      assert.equal(restored.answer, answer);
      assert.ok((await second.request(PurgePrefixCache, {})).bytes > 0);
      assert.deepEqual(await stored(), []);
      const computed = await ask(second, question).result;
      assert.equal(computed.record.cachedTokens, 0);
      assert.equal(computed.answer, answer);
      await second.dispose();
    } finally {
      await rm(cacheDir, { recursive: true });
    }
  });

  test('after an edit, the miss names the file, and what stands before it is reused', async () => {
    await server.notify(WarmPrefix, { enabled: false, options: ASK_OPTIONS });
    await writeFile(path.join(repo.path, 'src/greet.ts'), `${fillerSource('greet', 6)}// edited\n`);
    await sendWorkspace(server, repo.path);
    const { record } = await ask(server, 'And what else?').result;
    assert.ok(record.cachedTokens > 20, 'the instructions and the README');
    assert.match(record.cacheMiss ?? '', /^first changed block: src\/greet\.ts, edited \d+ s ago$/);
  });
});
