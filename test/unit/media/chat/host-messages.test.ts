import assert from 'node:assert/strict';
import { parseHostMessage } from '../../../../media/chat/host-messages';
import type { ChatHostMessage } from '../../../../protocol';
import { exchange } from '../../src/chat/samples';

suite('messages of the extension', () => {
  const good: ChatHostMessage[] = [
    { kind: 'conversation', conversation: { exchanges: [exchange()] }, attachments: [] },
    { kind: 'exchange', exchange: exchange() },
    { kind: 'activity', id: 'a', activity: { kind: 'starting' } },
    { kind: 'text', id: 'a', offset: 0, text: 'x' },
    { kind: 'attachments', attachments: [] },
    { kind: 'welcome', welcome: { folders: [] } },
    { kind: 'focus' },
    { kind: 'reveal', id: 'a' },
  ];
  for (const message of good) {
    test(`takes ${message.kind}`, () => assert.deepEqual(parseHostMessage(message), message));
  }

  for (const [what, data] of Object.entries({
    nothing: undefined,
    null: null,
    'a text': 'focus',
    'an unknown kind': { kind: 'run' },
    'a kind of every object': { kind: 'constructor' },
    'a text at no offset': { kind: 'text', id: 'a', text: 'x' },
    'half an offset': { kind: 'text', id: 'a', offset: 0.5, text: 'x' },
    'an exchange without an answer': { kind: 'exchange', exchange: { id: 'a', question: 'q' } },
    'a conversation with a hole': {
      kind: 'conversation',
      conversation: { exchanges: [null] },
      attachments: [],
    },
    'a welcome without folders': { kind: 'welcome', welcome: {} },
  })) {
    test(`leaves out ${what}`, () => assert.equal(parseHostMessage(data), undefined));
  }
});
