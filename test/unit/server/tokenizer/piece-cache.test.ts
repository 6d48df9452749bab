import assert from 'node:assert/strict';
import { PieceCache, pieceHash } from '../../../../server/tokenizer/piece-cache';
import { TokenBuffer } from '../../../../server/tokenizer/token-buffer';

const encode = (text: string) => new TextEncoder().encode(text);

function add(cache: PieceCache, text: string, ids: number[], hash?: number): void {
  const bytes = encode(text);
  const buffer = new TokenBuffer(0);
  buffer.push(999);
  for (const id of ids) buffer.push(id);
  cache.add(bytes, 0, bytes.length, hash ?? pieceHash(bytes, 0, bytes.length), buffer, 1);
}

function lookUp(cache: PieceCache, text: string, hash?: number): number[] | undefined {
  const bytes = encode(text);
  const buffer = new TokenBuffer(0);
  const isKnown = cache.lookUp(bytes, 0, bytes.length, hash ?? pieceHash(bytes, 0, bytes.length), buffer);
  return isKnown ? [...buffer.toArray()] : undefined;
}

suite('piece cache', () => {
  test('gives back what was put in, no tokens included', () => {
    const cache = new PieceCache({ entries: 8, textBytes: 64 });
    add(cache, 'foo', [1, 2]);
    add(cache, 'bar', []);
    assert.deepEqual(lookUp(cache, 'foo'), [1, 2]);
    assert.deepEqual(lookUp(cache, 'bar'), []);
    assert.equal(lookUp(cache, 'fo'), undefined);
    assert.equal(lookUp(cache, 'fooo'), undefined);
  });

  test('tells pieces with the same hash apart', () => {
    const cache = new PieceCache({ entries: 8, textBytes: 64 });
    add(cache, 'foo', [1], -1);
    add(cache, 'bar', [2], -1);
    add(cache, 'fo', [3], -1);
    assert.deepEqual(lookUp(cache, 'foo', -1), [1]);
    assert.deepEqual(lookUp(cache, 'bar', -1), [2]);
    assert.deepEqual(lookUp(cache, 'fo', -1), [3]);
    assert.equal(lookUp(cache, 'baz', -1), undefined);
  });

  test('starts afresh at the limit of entries', () => {
    const cache = new PieceCache({ entries: 4, textBytes: 1024 });
    for (let index = 0; index < 100; index++) {
      add(cache, `piece ${index}`, [index]);
      assert.ok(cache.size <= 4);
      assert.deepEqual(lookUp(cache, `piece ${index}`), [index]);
    }
    assert.equal(lookUp(cache, 'piece 0'), undefined);
  });

  test('starts afresh at the limit of bytes and refuses what can never fit', () => {
    const cache = new PieceCache({ entries: 1000, textBytes: 10 });
    add(cache, 'abcdef', [1]);
    add(cache, 'ghijkl', [2]);
    assert.equal(lookUp(cache, 'abcdef'), undefined);
    assert.deepEqual(lookUp(cache, 'ghijkl'), [2]);
    add(cache, 'x'.repeat(11), [3]);
    assert.equal(lookUp(cache, 'x'.repeat(11)), undefined);
    assert.deepEqual(lookUp(cache, 'ghijkl'), [2]);
  });
});
