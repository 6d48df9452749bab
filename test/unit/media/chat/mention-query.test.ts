import assert from 'node:assert/strict';
import { mentionAt, withMention } from '../../../../media/chat/mention-query';

suite('mentions in the text', () => {
  const at = (text: string) => mentionAt(text, text.length);

  test('a mention begins after a space, a bracket or at the start, and ends at the caret', () => {
    assert.deepEqual(at('@'), { start: 0, end: 1, query: '' });
    assert.deepEqual(at('see @fi'), { start: 4, end: 7, query: 'fi' });
    assert.deepEqual(at('(@src/a.ts'), { start: 1, end: 10, query: 'src/a.ts' });
    assert.deepEqual(at('a\n@git:'), { start: 2, end: 7, kind: 'git', query: '' });
    assert.deepEqual(at('@file:src/my-file_1.ts'), {
      start: 0,
      end: 22,
      kind: 'file',
      query: 'src/my-file_1.ts',
    });
    assert.deepEqual(mentionAt('@file and more', 3), { start: 0, end: 3, query: 'fi' });
  });

  for (const text of ['me@example.com', '@file done', 'a', '', '@ ', '@nothing:x', '@@file']) {
    test(`is none: ${JSON.stringify(text)}`, () => assert.equal(at(text), undefined));
  }

  test('what is chosen takes its place, with one space behind it', () => {
    const mention = at('see @fi');
    assert.ok(mention);
    assert.deepEqual(withMention('see @fi', mention, '@a.ts'), { text: 'see @a.ts ', caret: 10 });
    assert.deepEqual(withMention('see @fi, or', mention, '@a.ts'), { text: 'see @a.ts , or', caret: 10 });
    assert.deepEqual(withMention('see @fi or', mention, '@a.ts'), { text: 'see @a.ts or', caret: 10 });
    assert.deepEqual(withMention('see @fi', mention, '@file:'), { text: 'see @file:', caret: 10 });
  });
});
