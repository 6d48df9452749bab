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
