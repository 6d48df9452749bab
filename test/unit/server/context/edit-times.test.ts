import assert from 'node:assert/strict';
import { FileStore } from '../../../../server/context/file-store';
import { FakeSource } from './fake-source';

suite('when a file was edited', () => {
  const file = { root: 0, path: 'a.ts', absolutePath: '/w/a.ts', sizeBytes: -1, mtimeMs: 0 };
  async function editedAt(store: FileStore): Promise<number> {
    const loaded = await store.load(file);
    assert.equal(loaded.kind, 'text');
    return loaded.editedAtMs;
  }

  test('is the time of the disk, and stays when the same text is written again', async () => {
    const source = new FakeSource();
    source.put('/w/a.ts', 'one\n');
    const store = new FileStore(source, { textCacheBytes: 1000 });
    const first = await editedAt(store);
    assert.equal(first, source.files.get('/w/a.ts')!.mtimeMs);
    source.put('/w/a.ts', 'one\n');
    assert.ok(source.files.get('/w/a.ts')!.mtimeMs > first);
    assert.equal(await editedAt(store), first);
    source.put('/w/a.ts', 'two\n');
    assert.equal(await editedAt(store), source.files.get('/w/a.ts')!.mtimeMs);
  });

  test('never goes back when the text changed, whatever the clock says', async () => {
    const source = new FakeSource();
    source.put('/w/a.ts', 'one\n');
    const store = new FileStore(source, { textCacheBytes: 1000 });
    const first = await editedAt(store);
    source.put('/w/a.ts', 'two\n');
    source.files.get('/w/a.ts')!.mtimeMs = first - 5000;
    assert.equal(await editedAt(store), first);
  });

  test('is now for unsaved text', async () => {
    const source = new FakeSource();
    source.put('/w/a.ts', 'one\n');
    const store = new FileStore(source, { textCacheBytes: 1000 });
    await editedAt(store);
    const before = Date.now();
    store.setOverlay(file, 'typing\n');
    assert.ok((await editedAt(store)) >= before);
  });
});
