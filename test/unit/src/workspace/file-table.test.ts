import assert from 'node:assert/strict';
import { FileTable } from '../../../../src/workspace/file-table';

suite('file-table', () => {
  const entry = (path: string, sizeBytes = 1, root = 0) => ({ root, path, sizeBytes, mtimeMs: 1.5 });
  const place = (path: string, root = 0) => ({ root, path });
  function tableOf(...paths: string[]) {
    const table = new FileTable();
    for (const path of paths) table.put(entry(path));
    return table;
  }
  const paths = (entries: Iterable<{ path: string }>) => [...entries].map(({ path }) => path).sort();

  test('says what is new or different, and gives back what was put', () => {
    const table = tableOf('a');
    assert.equal(table.put(entry('a')), false);
    assert.equal(table.put(entry('a', 2)), true);
    assert.equal(table.put(entry('a', 2, 1)), true, 'of another root');
    assert.equal(table.size, 2);
    assert.deepEqual([...table.all()], [entry('a', 2), entry('a', 2, 1)]);
    assert.equal(table.remove(place('a')), true);
    assert.equal(table.remove(place('a')), false);
    assert.equal(table.remove(place('b', 7)), false);
    assert.equal(table.has(place('a')), false);
    assert.equal(table.has(place('a', 1)), true);
    table.clear();
    assert.equal(table.size, 0);
    assert.deepEqual([...table.all()], []);
  });

  test('thousands come and go', () => {
    const table = new FileTable();
    for (let i = 0; i < 5000; i++) table.put(entry(`d${i % 7}/f${i}`, i));
    for (let i = 0; i < 5000; i += 2) table.remove(place(`d${i % 7}/f${i}`));
    for (let i = 0; i < 1000; i++) table.put(entry(`new${i}`, -i));
    assert.equal(table.size, 3500);
    for (const { path, sizeBytes } of table.all()) {
      assert.equal(sizeBytes, path.startsWith('new') ? -Number(path.slice(3)) : Number(path.split('/f')[1]));
    }
  });

  for (const folders of [1, 20]) {
    test(`finds files and what is below folders, ${folders} at a time`, () => {
      const table = tableOf('a', 'old/b', 'old/deep/c', 'olden/d', 'e/old/f');
      table.put(entry('old/g', 1, 1));
      const others = Array.from({ length: folders - 1 }, (_, at) => place(`none${at}`));
      const found = table.within([place('a'), place('old'), ...others]);
      assert.deepEqual(paths(found), ['a', 'old/b', 'old/deep/c']);
    });
  }

  test('compares with what is there now, again and again', () => {
    const table = tableOf('a', 'b', 'c');
    const first = table.compare();
    assert.deepEqual(paths(first.note([place('a'), place('x')])), ['x']);
    assert.deepEqual(first.note([place('b')]), []);
    assert.deepEqual(paths(first.missing()), ['c']);
    table.remove(place('c'));
    table.put(entry('x'));
    const second = table.compare();
    assert.deepEqual(second.note([place('x')]), []);
    assert.deepEqual(paths(second.missing()), ['a', 'b']);
  });

  test('what comes while the disk is compared is not missing', () => {
    const table = tableOf('a');
    const comparison = table.compare();
    comparison.note([place('a')]);
    table.put(entry('late'));
    assert.deepEqual(comparison.missing(), []);
  });
});
