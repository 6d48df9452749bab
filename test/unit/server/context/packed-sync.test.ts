import assert from 'node:assert/strict';
import { packedSync, unpackedSync } from '../../../../server/context/packed-sync';

suite('packed-sync', () => {
  test('a piece of the list comes back as it was', () => {
    const upserts = ['a.ts', 'two\nlines', '🦭/שלום'].map((path, root) => ({
      root,
      path,
      sizeBytes: 5e9,
      mtimeMs: 1.25,
    }));
    const rest = {
      mode: 'delta' as const,
      revision: 7,
      last: true,
      roots: [],
      removals: [{ root: 0, path: 'b' }],
    };
    for (const some of [upserts, []]) {
      assert.deepEqual(unpackedSync(packedSync({ ...rest, upserts: some })), { ...rest, upserts: some });
    }
  });
});
