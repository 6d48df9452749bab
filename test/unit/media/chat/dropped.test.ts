import assert from 'node:assert/strict';
import { droppedAddresses, mayBePaths, mayHoldFiles } from '../../../../media/chat/dropped';

const dataOf = (items: Record<string, string>) => ({
  types: Object.keys(items),
  getData: (type: string) => items[type] ?? '',
});

suite('what is dropped and pasted', () => {
  test('addresses as the explorer and tabs give them, without repeats', () => {
    const uris = { 'application/vnd.code.uri-list': 'file:///a\r\n# a remark\r\nfile:///b\r\nfile:///a' };
    assert.deepEqual(droppedAddresses(dataOf(uris)), ['file:///a', 'file:///b']);
    assert.deepEqual(droppedAddresses(dataOf({ ResourceURLs: '["file:///c"]' })), ['file:///c']);
    assert.deepEqual(droppedAddresses(dataOf({ CodeFiles: '["/d"]', 'text/plain': 'x' })), ['/d']);
  });

  for (const [what, items] of Object.entries({
    nothing: {},
    text: { 'text/plain': '/a' },
    'a broken list': { resourceurls: '[' },
    'a list of other things': { resourceurls: '[1, null]' },
    'no list': { resourceurls: '{}' },
  })) {
    test(`no addresses in ${what}`, () => assert.deepEqual(droppedAddresses(dataOf(items)), []));
  }

  test('text that is dragged is no file', () => {
    assert.equal(mayHoldFiles({ types: ['text/plain', 'text/html'] }), false);
    assert.equal(mayHoldFiles({ types: ['ResourceURLs'] }), true);
    assert.equal(mayHoldFiles({ types: ['Files'] }), true);
  });

  test('pasted lines may be paths when each of them looks like one', () => {
    assert.equal(mayBePaths('/home/a/b.ts'), true);
    assert.equal(mayBePaths('C:\\a b\\c.ts\r\nfile:///d\n'), true);
    for (const text of ['', 'a.ts', '/a\nand words', '/ a', '/a\n'.repeat(21)]) {
      assert.equal(mayBePaths(text), false, text);
    }
  });
});
