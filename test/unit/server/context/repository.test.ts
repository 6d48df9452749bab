import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ManifestEntry } from '../../../../protocol';
import { queryOf } from '../../../../server/context/ranking/question-terms';
import { Repository } from '../../../../server/context/repository';
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
