import assert from 'node:assert/strict';
import { type FileRequest, FileStore } from '../../../../server/context/file-store';
import { FakeSource } from './fake-source';

suite('file-store', () => {
  let source: FakeSource;
  let store: FileStore;
  setup(() => {
    source = new FakeSource();
    store = new FileStore(source, { textCacheBytes: 1000 });
  });

  async function request(path: string): Promise<FileRequest> {
    const absolutePath = `/w/${path}`;
    const stamp = await source.stat(absolutePath).catch(() => ({ sizeBytes: 1, mtimeMs: 1 }));
    return { root: 0, path, absolutePath, ...stamp };
  }
  const load = async (path: string) => store.load(await request(path));
  async function textOf(path: string) {
    const loaded = await load(path);
    return loaded.kind === 'text' ? loaded.text : loaded.reason;
  }

  function isKnownText(file: FileRequest): boolean {
    const row = store.peek(file);
    return row !== undefined && store.records.holdsText(row);
  }

  test('reads once while size and time stay, again when they change', async () => {
    source.put('/w/a.ts', 'one');
    assert.equal(await textOf('a.ts'), 'one');
    assert.equal(await textOf('a.ts'), 'one');
    assert.equal(source.reads.length, 1);
    source.put('/w/a.ts', 'two');
    assert.equal(await textOf('a.ts'), 'two');
    assert.equal(source.reads.length, 2);
  });

  test('the manifest may be behind: the disk is asked', async () => {
    source.put('/w/a.ts', 'one');
    const stale = await request('a.ts');
    source.put('/w/a.ts', 'three');
    const loaded = await store.load(stale);
    assert.equal(loaded.kind === 'text' && loaded.text, 'three');
    assert.equal(store.peek(stale), undefined);
    assert.equal(isKnownText(await request('a.ts')), true);
  });

  test('unsaved text wins over the disk until it is withdrawn', async () => {
    source.put('/w/a.ts', 'disk');
    const place = { root: 0, path: 'a.ts' };
    assert.equal(await textOf('a.ts'), 'disk');
    store.setOverlay(place, 'editor\r\ntext');
    assert.equal(store.peek(await request('a.ts')), undefined);
    assert.equal(await textOf('a.ts'), 'editor\ntext');
    assert.equal(isKnownText(await request('a.ts')), true);
    store.setOverlay(place, '');
    assert.equal(await textOf('a.ts'), 'empty');
    store.setOverlay(place, null);
    assert.equal(await textOf('a.ts'), 'disk');
    store.setOverlay(place, 'again');
    store.clear();
    assert.equal(await textOf('a.ts'), 'disk');
  });

  test('the same content has the same hash, wherever it comes from', async () => {
    source.put('/w/a.ts', 'same');
    source.put('/w/b.ts', 'same');
    const [a, b] = [await load('a.ts'), await load('b.ts')];
    assert.ok(a.kind === 'text' && b.kind === 'text');
    assert.equal(a.hash, b.hash);
  });

  test('gone and unreadable files are reported with the reason, and recover', async () => {
    source.put('/w/a.ts', 'x');
    source.broken.add('/w/a.ts');
    const denied = await load('a.ts');
    assert.ok(denied.kind === 'excluded' && denied.reason === 'unreadable');
    assert.match(denied.detail!, /permission denied/);
    source.broken.clear();
    assert.equal(await textOf('a.ts'), 'x');
    assert.equal(await textOf('gone.ts'), 'unreadable');
  });

  test('large and binary files are excluded, the large one unread', async () => {
    source.put('/w/big.ts', new Uint8Array(1024 * 1024 + 1).fill(65));
    source.put('/w/bin', new Uint8Array([1, 0, 2]));
    assert.equal(await textOf('big.ts'), 'tooLarge');
    assert.deepEqual(source.reads, []);
    assert.equal(await textOf('bin'), 'binary');
    assert.equal(await textOf('bin'), 'binary');
    assert.equal(source.reads.length, 1);
  });

  test('text beyond the memory bound is read again', async () => {
    source.put('/w/a.ts', 'a'.repeat(400));
    source.put('/w/b.ts', 'b'.repeat(400));
    await textOf('a.ts');
    await textOf('b.ts');
    assert.equal((await textOf('a.ts')).length, 400);
    assert.equal(source.reads.length, 3);
    source.put('/w/huge.ts', 'huge line\n'.repeat(200));
    assert.equal((await textOf('huge.ts')).length, 2000, 'larger than the whole cache');
  });
});
