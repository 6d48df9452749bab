import assert from 'node:assert/strict';
import type { ManifestEntry, ManifestSyncParams } from '../../../../protocol';
import { Manifest } from '../../../../server/context/manifest';

suite('manifest', () => {
  const entry = (path: string, root = 0): ManifestEntry => ({ root, path, sizeBytes: 1, mtimeMs: 1 });
  const message = (changes: Partial<ManifestSyncParams>): ManifestSyncParams => ({
    mode: 'full',
    revision: 1,
    last: true,
    roots: [{ name: 'app', path: '/w/app' }],
    upserts: [],
    removals: [],
    ...changes,
  });
  const paths = (manifest: Manifest) => manifest.files().displayPaths;

  test('pieces take effect together with the last one', () => {
    const manifest = new Manifest();
    manifest.apply(message({ upserts: [entry('old')] }));
    const first = message({ revision: 2, last: false, upserts: [entry('b')] });
    assert.deepEqual(manifest.apply(first), { resync: false, files: 1 });
    assert.deepEqual(paths(manifest), ['old']);
    const last = message({ revision: 2, upserts: [entry('a')] });
    assert.deepEqual(manifest.apply(last), { resync: false, files: 2 });
    assert.deepEqual(paths(manifest), ['a', 'b']);
  });

  test('a list that was broken off leaves nothing behind', () => {
    const manifest = new Manifest();
    manifest.apply(message({ revision: 1, last: false, upserts: [entry('lost')] }));
    manifest.apply(message({ revision: 2, upserts: [entry('a')] }));
    assert.deepEqual(paths(manifest), ['a']);
  });

  test('deltas apply in turn; any other asks for a resync and changes nothing', () => {
    const manifest = new Manifest();
    const delta = (revision: number, upserts: ManifestEntry[], removals: string[] = []) =>
      manifest.apply(
        message({
          mode: 'delta',
          revision,
          roots: [],
          upserts,
          removals: removals.map((path) => ({ root: 0, path })),
        }),
      );
    assert.equal(delta(1, [entry('x')]).resync, true, 'before any list');
    manifest.apply(message({ revision: 5, upserts: [entry('a'), entry('b')] }));
    assert.deepEqual(delta(6, [entry('c')], ['a', 'unknown']), { resync: false, files: 2 });
    assert.deepEqual(paths(manifest), ['b', 'c']);
    for (const wrong of [6, 8, 5]) assert.equal(delta(wrong, [entry('z')]).resync, true);
    assert.deepEqual(paths(manifest), ['b', 'c']);
    assert.equal(delta(7, []).resync, false);
  });

  test('several roots: paths carry the name of the root, and are found again', () => {
    const manifest = new Manifest();
    const roots = [
      { name: 'app', path: '/a' },
      { name: 'app-2', path: '/b' },
    ];
    manifest.apply(message({ roots, upserts: [entry('x.ts', 1), entry('x.ts', 0)] }));
    assert.deepEqual(paths(manifest), ['app-2/x.ts', 'app/x.ts']);
    assert.deepEqual(manifest.placeOf('app-2/x.ts'), { root: 1, path: 'x.ts' });
    assert.equal(manifest.placeOf('other/x.ts'), undefined);
    assert.equal(new Manifest().placeOf('x.ts'), undefined);
  });

  test('a snapshot makes an equal manifest, however large', () => {
    const manifest = new Manifest();
    assert.deepEqual([...manifest.snapshot()], []);
    const upserts = Array.from({ length: 12_345 }, (_, i) => entry(`f${i}`));
    manifest.apply(message({ revision: 9, upserts }));
    const copy = new Manifest();
    for (const piece of manifest.snapshot()) copy.apply(piece);
    assert.deepEqual(copy.files(), manifest.files());
    assert.equal(copy.apply(message({ mode: 'delta', revision: 10 })).resync, false);
    const empty = new Manifest();
    empty.apply(message({}));
    const emptyCopy = new Manifest();
    for (const piece of empty.snapshot()) emptyCopy.apply(piece);
    assert.equal(emptyCopy.roots.length, 1);
  });
});
