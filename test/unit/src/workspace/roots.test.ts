import assert from 'node:assert/strict';
import path from 'node:path';
import { locate, nameRoots, nestedRoots } from '../../../../src/workspace/roots';

suite('roots', () => {
  const at = (...parts: string[]) => path.resolve('/w', ...parts);

  test('names are unique and a folder counts once', () => {
    const roots = nameRoots([
      { path: at('a/app') },
      { path: at('b/app') },
      { path: at('c'), name: 'app-2' },
      { path: at('d/app') },
      { path: `${at('a/app')}${path.sep}` },
    ]);
    assert.deepEqual(
      roots.map((root) => root.name),
      ['app', 'app-2', 'app-2-2', 'app-3'],
    );
  });

  test('the root of the file system has a name', () => {
    assert.equal(nameRoots([{ path: path.parse(at('x')).root }])[0]!.name, 'root');
  });

  test('a file belongs to the innermost root', () => {
    const roots = nameRoots([{ path: at('a') }, { path: at('a/b') }]);
    assert.deepEqual(locate(roots, at('a/b/x.ts')), { root: 1, path: 'x.ts' });
    assert.deepEqual(locate(roots, at('a/bc/x.ts')), { root: 0, path: 'bc/x.ts' });
    assert.deepEqual(locate(roots, at('a/..x')), { root: 0, path: '..x' });
    assert.equal(locate(roots, at('other/x.ts')), undefined);
    assert.equal(locate(roots, at('a')), undefined);
    assert.deepEqual(locate(roots, `${at('a')}/c/../b//./x.ts`), { root: 1, path: 'x.ts' });
    assert.deepEqual(locate(roots, `${at('a')}/c/`), { root: 0, path: 'c' });
    assert.equal(locate(roots, `${at('a')}/../other`), undefined);
    assert.deepEqual(locate(roots, at('a/.git/..x./HEAD')), { root: 0, path: '.git/..x./HEAD' });
    assert.deepEqual(nestedRoots(roots, 0), ['b']);
    assert.deepEqual(nestedRoots(roots, 1), []);
  });
});
