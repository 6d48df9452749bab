import assert from 'node:assert/strict';
import type { ContextAccount } from '../../../../protocol';
import { ContextModel, type ContextServer } from '../../../../src/context-view/context-model';
import { followConversation } from '../../../../src/context-view/follow-conversation';
import { Signal } from '../../../../src/session/signal';
import { exchange, INCLUSION, serverError } from '../chat/samples';
import { ACCOUNT } from './samples';

/** Lets everything that is under way go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

function setup() {
  const log: string[] = [];
  const context = new Signal<void>();
  const conversation = { upcoming: { history: [], attachments: [] }, isRunning: false };
  let asked: ContextAccount | null = null;
  let failure: Error | undefined;
  let id = 0;
  const server = {
    context,
    inspectContext: async (_conversation: unknown, signal: AbortSignal) => {
      log.push('inspect');
      await settle();
      if (failure) throw failure;
      if (signal.aborted) throw new Error('cancelled');
      return { ...ACCOUNT, id: ++id };
    },
    request: ({ method }: { method: string }, params: { id?: number; folder?: string }) => {
      log.push(params.id === undefined ? method : `${method} ${params.id} ${params.folder ?? ''}`);
      if (method === 'longview/context/asked') return Promise.resolve({ account: asked });
      if (params.id !== id && params.id !== 99) return Promise.reject(new Error('not kept any more'));
      return Promise.resolve(method.endsWith('prompt') ? { parts: [] } : { entries: [], more: 0 });
    },
  } as unknown as ContextServer;
  const model = new ContextModel(server, conversation);
  return {
    model,
    log,
    context,
    conversation,
    fail: (error: Error | undefined) => {
      failure = error;
    },
    pack: () => {
      asked = { ...ACCOUNT, id: 99, of: 'asked' };
    },
  };
}

suite('the account that the Context view shows', () => {
  test('nothing is asked while nobody can see it, and once when somebody does', async () => {
    const { model, log, context } = setup();
    context.fire();
    context.fire();
    await settle();
    assert.deepEqual(log, []);
    model.setVisible(true);
    await settle();
    await settle();
    assert.equal(model.current.account?.id, 1);
    model.setVisible(false);
    model.setVisible(true);
    await settle();
    assert.deepEqual(log, ['inspect', 'longview/context/folder 1 '], 'it is still true');
  });

  test('a newer look takes the place of one that is under way', async () => {
    const { model, log, context } = setup();
    model.setVisible(true);
    context.fire();
    await settle();
    await settle();
    assert.deepEqual(log.slice(0, 2), ['inspect', 'inspect']);
    assert.equal(model.current.account?.id, 1, 'the first one was dropped');
    assert.equal(model.current.isLooking, false);
  });

  test('the packed prompt is shown until something changes, an answer under way aside', async () => {
    const { model, context, conversation, pack } = setup();
    model.setVisible(true);
    await settle();
    pack();
    conversation.isRunning = true;
    await model.noteAsked();
    assert.equal(model.current.account?.of, 'asked');
    context.fire();
    await settle();
    assert.equal(model.current.account.of, 'asked');
    conversation.isRunning = false;
    context.fire();
    await settle();
    await settle();
    assert.equal(model.current.account.of, 'next');
    await model.show('asked');
    assert.equal(model.current.account.of, 'asked');
  });

  test('before the first question, the last one is the next one', async () => {
    const { model } = setup();
    model.setVisible(true);
    await model.show('asked');
    await settle();
    assert.equal(model.current.account?.of, 'next');
  });

  test('a failure is shown in words and tried again with the next change', async () => {
    const { model, fail, context } = setup();
    const shown = () => model.current;
    fail(serverError('noWorkspace'));
    model.setVisible(true);
    await settle();
    await settle();
    assert.deepEqual(shown(), {
      problem: 'message of noWorkspace Mend noWorkspace.',
      isLooking: false,
    });
    fail(undefined);
    context.fire();
    await settle();
    await settle();
    assert.ok(shown().account);
  });

  test('a folder of an account that has been replaced meanwhile is empty, not a failure', async () => {
    const { model, context } = setup();
    assert.deepEqual(await model.list(''), { entries: [], more: 0 });
    model.setVisible(true);
    await settle();
    await settle();
    const listing = model.list('src/');
    context.fire();
    assert.deepEqual(await listing, { entries: [], more: 0 });
  });

  test('the text of the prompt can be had without the view', async () => {
    const { model, log } = setup();
    const { account } = await model.promptText();
    assert.equal(account.of, 'next');
    assert.deepEqual(log, ['inspect', 'longview/context/prompt 1 ']);
  });
});

suite('what the conversation means for the context', () => {
  test('a question is looked at once when it is packed, and again when it is asked again', () => {
    const log: string[] = [];
    const follow = followConversation({
      noteAsked: () => {
        log.push('asked');
        return Promise.resolve();
      },
      noteChange: () => log.push('changed'),
    });
    const tell = (changes: Parameters<typeof exchange>[0]) => follow({ exchanges: [exchange(changes)] });
    tell({ phase: 'running' });
    tell({ phase: 'running', inclusion: INCLUSION });
    tell({ phase: 'running', inclusion: INCLUSION, answer: 'word' });
    tell({ phase: 'done', inclusion: INCLUSION });
    assert.deepEqual(log, ['asked']);
    tell({ phase: 'running' });
    tell({ phase: 'running', inclusion: INCLUSION });
    assert.deepEqual(log, ['asked', 'asked']);
    follow({ exchanges: [] });
    assert.deepEqual(log, ['asked', 'asked', 'changed']);
  });
});
