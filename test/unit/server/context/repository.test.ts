import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ManifestEntry } from '../../../../protocol';
import { codeOfReason, TEXT } from '../../../../server/context/file-state';
import { hashOfText } from '../../../../server/context/file-store';
import { TermCounter } from '../../../../server/context/index/term-counter';
import { queryOf } from '../../../../server/context/ranking/question-terms';
import { Repository } from '../../../../server/context/repository';
import type { ScanFiles } from '../../../../server/context/scan/scan-files';
import { FakeSource } from './fake-source';

suite('repository', () => {
  let source: FakeSource;
  let indexes: string;
  setup(() => {
    source = new FakeSource();
    indexes = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-indexes-'));
  });
  teardown(() => fs.rmSync(indexes, { recursive: true, force: true }));

  /** A start of Longview on the files of `source`. */
  async function start(indexFolder?: string) {
    const repository = new Repository(source, { textCacheBytes: 1e6, indexFolder });
    await sync(repository, 1);
    return { repository, view: await refresh(repository) };
  }

  async function sync(repository: Repository, revision: number) {
    const upserts: ManifestEntry[] = [];
    for (const absolute of source.files.keys()) {
      upserts.push({ root: 0, path: absolute.slice(3), ...(await source.stat(absolute)) });
    }
    const roots = [{ name: 'w', path: '/w' }];
    repository.apply({ mode: 'full', revision, last: true, roots, upserts, removals: [] });
  }

  const refresh = (repository: Repository) =>
    repository.refresh(() => undefined, new AbortController().signal);

  async function saved() {
    for (let attempt = 0; attempt < 200; attempt++) {
      if (fs.readdirSync(indexes).some((name) => name.endsWith('.index'))) return;
      await sleep(5);
    }
    throw new Error('no index was saved');
  }

  test('a later start reads no file, ranks the same, and reads again what changed meanwhile', async () => {
    source.put('/w/a.ts', 'export function mergeShards() { return loadCache(); }');
    source.put('/w/b.ts', 'export function loadCache() {}');
    source.put('/w/c.png', 'x');
    const cold = await start(indexes);
    assert.equal(source.reads.length, 2);
    await saved();
    source.reads = [];
    const warm = await start(indexes);
    assert.deepEqual(source.reads, []);
    assert.deepEqual(warm.view, cold.view);
    const query = queryOf('where are shards merged?');
    assert.deepEqual(warm.repository.rank(query), cold.repository.rank(query));
    assert.deepEqual(warm.repository.rankBase(['a.ts', 'b.ts']), cold.repository.rankBase(['a.ts', 'b.ts']));

    source.put('/w/b.ts', 'export function mergeShards2() {}');
    const after = await start(indexes);
    assert.deepEqual(source.reads, ['/w/b.ts']);
    assert.equal(after.repository.rank(queryOf('mergeShards2'))[0]?.path, 'b.ts');
  });

  test('many files are read by other threads, with what these leave read here, and the same comes of it', async () => {
    for (let i = 0; i < 300; i++) source.put(`/w/f${i}.ts`, `export function name${i}() { call${i % 7}(); }`);
    source.put('/w/bin.dat', new Uint8Array([1, 0]));
    const alone = await start();
    const scanned: string[] = [];
    const scan: ScanFiles = ({ count, request, mostTerms, onFile }) => {
      for (let index = 0; index < count; index++) {
        const file = request(index);
        // One that a thread died of.
        if (file.path === 'f7.ts') continue;
        scanned.push(file.path);
        const { bytes, mtimeMs } = source.files.get(file.absolutePath)!;
        const stamp = { sizeBytes: bytes.length, mtimeMs };
        const text = new TextDecoder().decode(bytes);
        const isText = file.path !== 'bin.dat';
        const terms = new TermCounter().count(file.displayPath, text, mostTerms);
        onFile(index, {
          state: isText ? TEXT : codeOfReason('binary'),
          stamp,
          text: isText ? { hash: hashOfText(text), terms } : undefined,
        });
      }
      return Promise.resolve();
    };
    source.reads = [];
    const repository = new Repository(source, { textCacheBytes: 1e6, indexFolder: indexes, scan });
    await sync(repository, 1);
    repository.overlay({ root: 0, path: 'f3.ts', text: 'unsaved walrus' });
    const view = await refresh(repository);
    assert.deepEqual(view, alone.view);
    assert.deepEqual(source.reads, ['/w/f7.ts']);
    assert.ok(!scanned.includes('f3.ts'), 'the disk has not what the editor has');
    const paths = (query: string) => repository.rank(queryOf(query)).map(({ path: file }) => file);
    assert.equal(paths('walrus')[0], 'f3.ts');
    repository.overlay({ root: 0, path: 'f3.ts', text: null });
    await refresh(repository);
    for (const query of ['where is name42?', 'call3'])
      assert.deepEqual(repository.rank(queryOf(query)), alone.repository.rank(queryOf(query)));
    assert.deepEqual(repository.rankBase(view.usable), alone.repository.rankBase(view.usable));
    await saved();
    source.reads = [];
    const later = await start(indexes);
    assert.deepEqual(source.reads, []);
    assert.deepEqual(later.repository.rank(queryOf('call3')), alone.repository.rank(queryOf('call3')));
  });

  test('other folders: nothing of the ones before is taken for theirs', async () => {
    source.put('/w/a.ts', 'walrus');
    const { repository } = await start(indexes);
    await saved();
    const stamp = await source.stat('/w/a.ts');
    source.files.set('/v/a.ts', {
      bytes: new TextEncoder().encode('penguin'.slice(0, 6)),
      mtimeMs: stamp.mtimeMs,
    });
    const open = (folder: string, revision: number) => {
      const upserts = [{ root: 0, path: 'a.ts', ...stamp }];
      const roots = [{ name: folder, path: `/${folder}` }];
      repository.apply({ mode: 'full', revision, last: true, roots, upserts, removals: [] });
      return refresh(repository);
    };
    source.reads = [];
    await open('v', 2);
    assert.deepEqual(source.reads, ['/v/a.ts']);
    await open('w', 3);
    assert.deepEqual(source.reads, ['/v/a.ts'], 'what was saved of it is there again');
  });

  test('a damaged index costs a cold start and nothing else', async () => {
    source.put('/w/a.ts', 'walrus');
    await start(indexes);
    await saved();
    const file = path.join(indexes, fs.readdirSync(indexes)[0]!);
    fs.truncateSync(file, 50);
    source.reads = [];
    const { view } = await start(indexes);
    assert.deepEqual(source.reads, ['/w/a.ts']);
    assert.deepEqual(view.usable, ['a.ts']);
  });

  test('a clock that went back: an older time is another time', async () => {
    source.put('/w/a.ts', 'walrus one');
    await start(indexes);
    await saved();
    source.files.set('/w/a.ts', { bytes: new TextEncoder().encode('walrus two'), mtimeMs: -1000 });
    source.reads = [];
    await start(indexes);
    assert.deepEqual(source.reads, ['/w/a.ts']);
  });

  test('a name that changes its case alone is another file', async () => {
    source.put('/w/Readme.md', 'walrus');
    const { repository } = await start();
    source.files.set('/w/README.md', source.files.get('/w/Readme.md')!);
    source.files.delete('/w/Readme.md');
    await sync(repository, 2);
    assert.deepEqual((await refresh(repository)).usable, ['README.md']);
    assert.deepEqual(
      repository.rank(queryOf('walrus')).map(({ path: file }) => file),
      ['README.md'],
    );
  });

  test('files that a sparse checkout left away are not there, and no error', async () => {
    source.put('/w/a.ts', 'walrus');
    source.put('/w/sparse/b.ts', 'walrus');
    const repository = new Repository(source, { textCacheBytes: 1e6 });
    await sync(repository, 1);
    source.files.delete('/w/sparse/b.ts');
    const view = await refresh(repository);
    assert.deepEqual(view.usable, ['a.ts']);
    assert.deepEqual(view.unusable, [{ path: 'sparse/b.ts', reason: 'unreadable' }]);
  });

  test('one file of 50 MB is left out unread', async () => {
    source.put('/w/huge.sql', new Uint8Array(50 * 1024 * 1024));
    source.put('/w/a.ts', 'walrus');
    const { view } = await start();
    assert.deepEqual(source.reads, ['/w/a.ts']);
    assert.deepEqual(view.unusable, [{ path: 'huge.sql', reason: 'tooLarge' }]);
  });

  test('ten thousand empty files are left out unread', async () => {
    for (let i = 0; i < 10_000; i++) source.put(`/w/empty${i}.ts`, '');
    source.put('/w/a.ts', 'walrus');
    const { view } = await start();
    assert.deepEqual(source.reads, ['/w/a.ts']);
    assert.equal(view.unusable.length, 10_000);
  });

  test('a file that may not be read is left out, and read once it may', async () => {
    source.put('/w/a.ts', 'walrus');
    source.broken.add('/w/a.ts');
    const { repository, view } = await start(indexes);
    assert.deepEqual(view.unusable, [{ path: 'a.ts', reason: 'unreadable' }]);
    source.broken.clear();
    assert.deepEqual((await refresh(repository)).usable, ['a.ts']);
  });

  test('a deleted workspace leaves nothing to rank', async () => {
    source.put('/w/a.ts', 'walrus');
    const { repository } = await start();
    source.files.clear();
    await sync(repository, 2);
    assert.deepEqual((await refresh(repository)).usable, []);
    assert.deepEqual(repository.rank(queryOf('walrus')), []);
  });

  test('what others refer to is a better start than what nobody does; tests come last', async () => {
    source.put('/w/core.ts', 'export function planShards() {}');
    for (let i = 0; i < 5; i++)
      source.put(`/w/user${i}.ts`, `import { planShards } from './core'; planShards();`);
    source.put('/w/test/core.test.ts', 'planShards();');
    const { repository, view } = await start();
    const order = repository.rankBase(view.usable).map(({ path: file }) => file);
    assert.equal(order[0], 'core.ts');
    assert.equal(order.at(-1), 'test/core.test.ts');
  });
});
