import assert from 'node:assert/strict';
import { nearestNamed } from '../../../../src/chat/nearest-named';

suite('nearestNamed', () => {
  const lines = ['run();', '', 'function running() {}', '  function run() {}', 'const $run = 1;'];
  const at = (line: number, symbol = 'run') => nearestNamed(lines, { path: 'a.ts', line, symbol });

  test('the line where it was, or the nearest one that holds the whole word', () => {
    assert.deepEqual(at(4), { line: 3, column: 11 });
    assert.deepEqual(at(3), { line: 3, column: 11 });
    assert.deepEqual(at(99), { line: 3, column: 11 });
    assert.deepEqual(at(1), { line: 0, column: 0 });
    assert.deepEqual(at(1, '$run'), { line: 4, column: 6 });
    assert.equal(at(1, 'ru'), undefined);
  });
});
