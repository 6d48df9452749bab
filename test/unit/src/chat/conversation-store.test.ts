import assert from 'node:assert/strict';
import { ConversationStore, STORED_EXCHANGES } from '../../../../src/chat/conversation-store';
import { exchange, INCLUSION, RECORD } from './samples';

/** What the editor keeps of the workspace, as JSON, with a list of the warnings. */
function memory(initial?: unknown) {
  let stored = initial === undefined ? undefined : JSON.stringify(initial);
  const warnings: string[] = [];
  const keyValues = {
    get: (): unknown => (stored === undefined ? undefined : JSON.parse(stored)),
    update: async (_key: string, value: unknown): Promise<void> => {
      await Promise.resolve();
      stored = JSON.stringify(value);
    },
  };
  const open = () => new ConversationStore(keyValues, (message) => warnings.push(message));
  return { open, warnings };
}

suite('ConversationStore', () => {
  test('gives back what was saved, all fields included', async () => {
    const { open, warnings } = memory();
    const full = exchange({
      phase: 'done',
      answer: 'yes',
      record: RECORD,
      inclusion: INCLUSION,
      truncated: true,
      attachments: [
        { kind: 'file', path: 'a.ts' },
        { kind: 'selection', path: 'b.ts', startLine: 1, endLine: 2, text: 'x' },
      ],
      citations: [{ path: 'a.ts', startLine: 1, endLine: 1, verified: false, origin: 'quote', claim: 'x' }],
      failure: {
        code: 'modelMissing',
        message: 'm',
        action: 'a',
        buttons: ['downloadModel'],
        modelId: 'small',
      },
    });
    const store = open();
    store.save({ exchanges: [full] });
    store.dispose();
    await Promise.resolve();
    assert.deepEqual(open().load(), { exchanges: [full] });
    assert.deepEqual(warnings, []);
  });

  test('a reload in the middle of an answer shows its part, marked as interrupted', async () => {
    const { open } = memory();
    const store = open();
    store.save({ exchanges: [exchange({ answer: 'Half', activity: { kind: 'starting' } })] });
    store.flush();
    await Promise.resolve();
    assert.deepEqual(open().load(), { exchanges: [exchange({ answer: 'Half', phase: 'interrupted' })] });
  });

  test('forgets the oldest exchanges', async () => {
    const { open } = memory();
    const store = open();
    const many = Array.from({ length: STORED_EXCHANGES + 5 }, (_, i) =>
      exchange({ id: String(i), phase: 'done' }),
    );
    store.save({ exchanges: many });
    store.dispose();
    await Promise.resolve();
    const { exchanges } = open().load();
    assert.equal(exchanges.length, STORED_EXCHANGES);
    assert.equal(exchanges.at(-1)?.id, String(STORED_EXCHANGES + 4));
  });

  for (const [what, stored] of Object.entries({
    'another version': { version: 99, exchanges: [] },
    'a list': [1, 2],
    'a text': 'hello',
    'an exchange without a question': { version: 1, exchanges: [{ id: 'a', answer: '' }] },
    'an unknown phase': { version: 1, exchanges: [{ ...exchange(), phase: 'dancing' }] },
  })) {
    test(`leaves out ${what} that is stored, and says so`, () => {
      const { open, warnings } = memory(stored);
      assert.deepEqual(open().load(), { exchanges: [] });
      assert.equal(warnings.length, 1);
      assert.match(warnings[0]!, /could not be read/);
    });
  }

  test('says when it cannot save', async () => {
    const warnings: string[] = [];
    const store = new ConversationStore(
      { get: () => undefined, update: () => Promise.reject(new Error('disk full')) },
      (message) => warnings.push(message),
    );
    store.save({ exchanges: [] });
    store.dispose();
    await new Promise((resolve) => setImmediate(resolve));
    assert.match(warnings.join(), /disk full/);
  });
});
