import assert from 'node:assert/strict';
import { statPlaces, statPlacesInTurn } from '../../../../src/workspace/list-workspace';
import { batchOf, entriesOf } from '../../../../src/workspace/listed-batch';
import type { WorkspaceProblem } from '../../../../src/workspace/problem';
import { Scratch } from './scratch';

suite('listed-batch', () => {
  test('entries come back as they were, whatever their names', () => {
    const entries = ['a', 'two\nlines', '🦭/שלום.ts', ' '].map((path, at) => ({
      root: 2,
      path,
      sizeBytes: at * 1e10,
      mtimeMs: at + 0.25,
    }));
    assert.deepEqual(entriesOf(batchOf(entries)), entries);
    assert.deepEqual(entriesOf(batchOf([])), []);
  });

  test('one after the other finds what all at once finds', async () => {
    const repo = new Scratch({ 'a.ts': 'abc', 'dir/b.ts': '' });
    try {
      const roots = [{ name: 'w', path: repo.root }];
      const places = ['a.ts', 'dir', 'dir/b.ts', 'gone.ts', 'a.ts/x', `n${'o'.repeat(300)}`].map((path) => ({
        root: 0,
        path,
      }));
      const problems: WorkspaceProblem[][] = [[], []];
      const [atOnce, inTurn] = [
        await statPlaces(roots, places, (problem) => problems[0]?.push(problem)),
        statPlacesInTurn(roots, places, (problem) => problems[1]?.push(problem)),
      ];
      assert.deepEqual(inTurn, atOnce);
      assert.deepEqual(
        inTurn.map(({ path }) => path),
        ['a.ts', 'dir/b.ts'],
      );
      assert.equal(problems[1]?.length, 1, 'a name that is too long');
      assert.equal(problems[0]?.length, 1);
    } finally {
      repo.remove();
    }
  });
});
