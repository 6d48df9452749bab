import assert from 'node:assert/strict';
import { linkCitations, placeText } from '../../../../media/chat/citation-links';
import type { Citation } from '../../../../protocol';

const cite = (path: string, startLine: number, endLine: number): Citation => ({
  path,
  startLine,
  endLine,
  verified: true,
  origin: 'written',
  claim: '',
});
const CITATIONS = [
  cite('src/a.ts', 12, 20),
  cite('src/a.ts', 5, 5),
  cite('a.ts', 1, 2),
  cite('we+ird (x).ts', 1, 1),
];
const linked = (text: string) =>
  linkCitations(text, CITATIONS).flatMap((part) =>
    part.citation === undefined ? [] : [[part.text, part.citation]],
  );

suite('links to cited places', () => {
  test('a range, a line, a path alone', () => {
    assert.deepEqual(linked('see src/a.ts:12-20, src/a.ts:5 and src/a.ts'), [
      ['src/a.ts:12-20', 0],
      ['src/a.ts:5', 1],
      ['src/a.ts', 0],
    ]);
    assert.deepEqual(linked('src/a.ts#L12-L20'), [['src/a.ts#L12-L20', 0]]);
  });

  test('lines that are not cited stay text', () => {
    assert.deepEqual(linked('src/a.ts:13-20 and src/a.ts:7'), []);
  });

  test('no part of another path', () => {
    assert.deepEqual(linked('data.ts lib/a.ts a.tsx a.ts.map a.ts/b my-a.ts'), []);
    assert.deepEqual(linked('a.ts.'), [['a.ts', 2]]);
  });

  test('a path with signs that mean something in patterns', () => {
    assert.deepEqual(linked('we+ird (x).ts:1'), [['we+ird (x).ts:1', 3]]);
  });

  test('nothing is lost', () => {
    const text = 'see src/a.ts:12-20, a.ts and the rest';
    const parts = linkCitations(text, CITATIONS);
    assert.equal(parts.map((part) => part.text).join(''), text);
    assert.deepEqual(linkCitations('', CITATIONS), []);
    assert.deepEqual(linkCitations('a.ts', []), [{ text: 'a.ts' }]);
  });

  test('a place in words', () => {
    assert.equal(placeText(CITATIONS[0]!), 'src/a.ts:12-20');
    assert.equal(placeText(CITATIONS[1]!), 'src/a.ts:5');
  });
});
