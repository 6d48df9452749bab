import assert from 'node:assert/strict';
import type { ChatHostMessage, Completions } from '../../../../../protocol';
import { CompletionDesk } from '../../../../../src/chat/mentions/completion-desk';

suite('CompletionDesk', () => {
  function setUp() {
    const searches: {
      signal: AbortSignal;
      resolve: (found: Completions) => void;
      reject: (error: Error) => void;
    }[] = [];
    const posted: ChatHostMessage[] = [];
    const complete = (_mention: string, _query: string, signal: AbortSignal) =>
      new Promise<Completions>((resolve, reject) => searches.push({ signal, resolve, reject }));
    const desk = new CompletionDesk({ complete }, (message) => posted.push(message));
    const ask = (request: number) => desk.answer({ kind: 'complete', request, mention: 'file', query: 'a' });
    return { searches, posted, ask };
  }

  test('a newer search ends the one before, whose answer is not shown', async () => {
    const { searches, posted, ask } = setUp();
    const first = ask(1);
    const second = ask(2);
    assert.equal(searches[0]!.signal.aborted, true);
    searches[0]!.resolve({ items: [] });
    searches[1]!.resolve({ items: [], remark: 'none' });
    await Promise.all([first, second]);
    assert.deepEqual(posted, [{ kind: 'completions', request: 2, items: [], remark: 'none' }]);
  });

  test('a failure is said in the list; that of a search which was ended is not', async () => {
    const { searches, posted, ask } = setUp();
    const first = ask(1);
    const second = ask(2);
    searches[0]!.reject(new Error('cancelled'));
    searches[1]!.reject(new Error('Git is switched off.'));
    await Promise.all([first, second]);
    assert.deepEqual(posted, [
      { kind: 'completions', request: 2, items: [], remark: 'Git is switched off.' },
    ]);
  });
});
