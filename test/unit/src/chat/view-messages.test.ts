import assert from 'node:assert/strict';
import type { ChatViewMessage } from '../../../../protocol';
import { parseViewMessage } from '../../../../src/chat/view-messages';

suite('messages of the chat page', () => {
  const good: ChatViewMessage[] = [
    { kind: 'sync' },
    { kind: 'ask', question: 'Why?' },
    { kind: 'stop' },
    { kind: 'newChat' },
    { kind: 'attach' },
    { kind: 'detach', index: 0 },
    { kind: 'complete', request: 3, mention: 'any', query: '' },
    { kind: 'mention', choice: { kind: 'folder', path: 'src' } },
    { kind: 'mention', choice: { kind: 'symbol', path: 'a.ts', name: 'f', startLine: 1, endLine: 2 } },
    { kind: 'mention', choice: { kind: 'git', repository: '/w', what: 'staged' } },
    { kind: 'mention', choice: { kind: 'git', repository: '/w', what: 'commit', hash: 'abc123' } },
    { kind: 'drop', uris: ['file:///a.ts'] },
    { kind: 'pasted', text: '/a.ts' },
    { kind: 'openSymbol', places: [{ path: 'a.ts', line: 1, symbol: 'f' }] },
    { kind: 'act', id: 'a', action: 'retry' },
    { kind: 'openPlace', path: 'a.ts', startLine: 1, endLine: 2 },
    { kind: 'openFile', path: 'a.ts' },
    { kind: 'openFolder' },
    { kind: 'copy', text: 'x' },
    { kind: 'insert', text: 'x' },
  ];
  for (const message of good) {
    test(`takes ${message.kind}`, () => {
      assert.deepEqual(parseViewMessage(message), { message });
    });
  }

  for (const [what, message] of Object.entries({
    nothing: undefined,
    null: null,
    'a text': 'ask',
    'a list': [{ kind: 'ask' }],
    'an unknown kind': { kind: 'runCommand', command: 'rm' },
    'a question that is no text': { kind: 'ask', question: 3 },
    'an endless question': { kind: 'ask', question: 'x'.repeat(1_000_001) },
    'an unknown action': { kind: 'act', id: 'a', action: 'delete' },
    'an unknown mention': { kind: 'complete', request: 1, mention: 'web', query: '' },
    'a commit that is an option of git': {
      kind: 'mention',
      choice: { kind: 'git', repository: '/w', what: 'commit', hash: '--output=x' },
    },
    'a symbol without a place': { kind: 'openSymbol', places: [] },
    'line 0': { kind: 'openPlace', path: 'a', startLine: 0, endLine: 1 },
    'a line in between': { kind: 'openPlace', path: 'a', startLine: 1.5, endLine: 2 },
    'no path': { kind: 'openFile', path: '' },
    'a field too many': { kind: 'stop', extra: 1 },
    'a place before the list': { kind: 'detach', index: -1 },
  })) {
    test(`refuses ${what}, and says why`, () => {
      const parsed = parseViewMessage(message);
      assert.ok('problem' in parsed && parsed.problem.length > 0);
    });
  }
});
