import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { AskOptions, WarmStatus } from '../../../../protocol';
import type { BaseRequest } from '../../../../server/context/context-service';
import { Engine } from '../../../../server/engine/engine';
import { CancelledError, LongviewError } from '../../../../server/errors';
import { PromptMemory } from '../../../../server/handlers/prompt-memory';
import { WarmPrefix, type WarmPrefixDependencies } from '../../../../server/handlers/warm-prefix';
import { FakeBackend, FakeProvider } from '../engine/fake-backend';

const MODEL = {
  id: 'fake-model',
  name: 'Fake',
  path: '/models/fake.gguf',
  sha256: 'a'.repeat(64),
  trainedContextTokens: 200,
  cpuContextTokens: 100,
};
const OPTIONS: AskOptions = {
  device: 'auto',
  attention: 'auto',
  quality: 'balanced',
  maxAnswerTokens: 20,
  sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
};

suite('WarmPrefix', () => {
  let warm: WarmPrefix;
  teardown(() => warm.dispose());

  function start(more: Partial<WarmPrefixDependencies> = {}) {
    const backend = new FakeBackend();
    const statuses: (WarmStatus | undefined)[] = [];
    const requests: BaseRequest[] = [];
    const logged: string[] = [];
    let base = 'the base of all questions';
    let lastId = 0;
    warm = new WarmPrefix({
      models: { resolve: () => Promise.resolve(MODEL) },
      context: {
        packBase: (request) => {
          requests.push(request);
          const tokenIds = Int32Array.from(Array.from(base, (char) => char.charCodeAt(0)));
          return Promise.resolve({ packId: ++lastId, tokenIds, spans: [] });
        },
      },
      engine: new Engine({
        backends: new FakeProvider(backend),
        defaults: { cacheDir: '/cache', cpuThreads: 1 },
        onStatus: () => undefined,
      }),
      prompts: new PromptMemory(),
      pressure: pressureOf(() => undefined),
      onStatus: (status) => statuses.push(status),
      log: (line) => logged.push(line),
      waits: { settle: 5, retry: 5 },
      ...more,
    });
    const until = async (isDone: () => boolean): Promise<void> => {
      for (let i = 0; i < 400 && !isDone(); i++) await delay(5);
      assert.ok(isDone(), `waited in vain; the last status was ${JSON.stringify(statuses.at(-1))}`);
    };
    const edit = (text: string): void => {
      base = text;
      warm.noteChange();
    };
    return { backend, statuses, requests, logged, until, edit };
  }

  test('computes nothing before it is told to, and nothing when it is off', async () => {
    const { requests, statuses } = start();
    warm.noteChange();
    warm.configure({ enabled: false, options: OPTIONS });
    warm.noteChange();
    await delay(30);
    assert.deepEqual(requests, []);
    assert.deepEqual(statuses, [undefined]);
  });

  test('computes the base with the options of the next question, and tells how far it is', async () => {
    const { backend, requests, statuses, until } = start();
    warm.configure({ enabled: true, options: OPTIONS });
    await until(() => statuses.at(-1)?.state === 'warm');
    assert.deepEqual(requests, [{ modelPath: MODEL.path, budgetTokens: 80 }]);
    assert.equal(String.fromCharCode(...backend.kv[0]!), 'the base of all questions');
    const fractions = statuses.map((status) => status?.fraction ?? -1);
    assert.deepEqual(
      fractions,
      [...fractions].sort((a, b) => a - b),
    );
    assert.deepEqual(statuses.at(-1), { state: 'warm', fraction: 1 });
  });

  test('computes again what an edit changed, once for a burst of edits', async () => {
    const { backend, requests, statuses, until, edit } = start();
    warm.configure({ enabled: true, options: OPTIONS });
    await until(() => statuses.at(-1)?.state === 'warm');
    for (const text of ['the base of a', 'the base of an ed', 'the base of an edit']) edit(text);
    await until(() => String.fromCharCode(...backend.kv[0]!) === 'the base of an edit');
    assert.equal(requests.length, 2);
  });

  test('gives way to a question even before it reaches the device, and goes on afterwards', async () => {
    let isAsked = false;
    const { backend, statuses, until } = start({
      context: {
        packBase: (_request, signal) =>
          isAsked
            ? Promise.resolve({ packId: 1, tokenIds: Int32Array.of(65, 66), spans: [] })
            : new Promise((_resolve, reject) => {
                signal.addEventListener('abort', () => reject(new CancelledError()), { once: true });
                isAsked = true;
                warm.giveWay();
              }),
      },
    });
    warm.configure({ enabled: true, options: OPTIONS });
    await until(() => isAsked);
    await delay(30);
    assert.deepEqual([backend.calls, statuses], [[], []]);
    warm.noteChange();
    await until(() => statuses.at(-1)?.state === 'warm');
  });

  test('waits while the machine has other things to do', async () => {
    let reason: string | undefined = 'the machine runs on battery';
    const { requests, statuses, until } = start({ pressure: pressureOf(() => reason) });
    warm.configure({ enabled: true, options: OPTIONS });
    await until(() => statuses.at(-1)?.state === 'waiting');
    assert.equal(statuses.at(-1)?.reason, 'the machine runs on battery');
    assert.deepEqual(requests, []);
    warm.configure({ enabled: true, options: OPTIONS, evenWhenBusy: true });
    await until(() => statuses.at(-1)?.state === 'warm');
    warm.configure({ enabled: true, options: { ...OPTIONS, maxAnswerTokens: 21 } });
    await until(() => statuses.at(-1)?.state === 'waiting');
    reason = undefined;
    await until(() => statuses.at(-1)?.state === 'warm');
  });

  test('held back between two chunks, it says so, keeps what it has, and goes on from there', async () => {
    let reason: string | undefined;
    const { backend, statuses, until } = start({ pressure: pressureOf(() => reason) });
    backend.script.before = (call, count) => {
      if (call === 'prefill' && count === 2) reason = 'the machine runs on battery';
    };
    warm.configure({ enabled: true, options: OPTIONS });
    await until(() => statuses.at(-1)?.state === 'waiting');
    const chunks = backend.chunkSizes.length;
    assert.equal(chunks, 2, 'the chunk under way was the last');
    assert.deepEqual(statuses.at(-1), { state: 'waiting', fraction: 4 / 25, reason });
    await delay(30);
    assert.equal(backend.chunkSizes.length, chunks);
    reason = undefined;
    await until(() => statuses.at(-1)?.state === 'warm');
    assert.deepEqual(backend.kv, [Array.from('the base of all questions', (char) => char.charCodeAt(0))]);
    assert.equal(backend.calls.filter((call) => call === 'open').length, 1, 'nothing was computed twice');
  });

  test('held back between two chunks, it gives way to a question at once', async () => {
    const { backend, statuses, until } = start({
      pressure: {
        againstBeginning: () => Promise.resolve(undefined),
        againstGoingOn: () => Promise.resolve('other programs need the processor'),
      },
      waits: { settle: 5, retry: 60_000 },
    });
    warm.configure({ enabled: true, options: OPTIONS });
    await until(() => statuses.at(-1)?.state === 'waiting');
    warm.giveWay();
    await warm.dispose();
    assert.deepEqual(backend.chunkSizes, []);
  });

  test('asks about the device that it would run on, and whether the model is there already', async () => {
    const asked: [string, boolean][] = [];
    const { statuses, until, edit } = start({
      pressure: {
        againstBeginning: (device, holdsModel) => {
          asked.push([device, holdsModel]);
          return Promise.resolve(undefined);
        },
        againstGoingOn: () => Promise.resolve(undefined),
      },
    });
    warm.configure({ enabled: true, options: { ...OPTIONS, device: 'cuda' } });
    await until(() => statuses.at(-1)?.state === 'warm');
    edit('another base');
    await until(() => asked.length === 2);
    assert.deepEqual(asked, [
      ['cuda', false],
      ['cuda', true],
    ]);
  });

  test('says nothing when there is no model yet, and starts once there is one', async () => {
    let isThere = false;
    const { logged, statuses, until } = start({
      models: {
        resolve: () =>
          isThere
            ? Promise.resolve(MODEL)
            : Promise.reject(new LongviewError('modelMissing', 'Not here.', 'Download it.')),
      },
    });
    warm.configure({ enabled: true, options: OPTIONS });
    await until(() => statuses.length > 0);
    assert.deepEqual([statuses.at(-1), logged], [undefined, []]);
    isThere = true;
    warm.noteChange();
    await until(() => statuses.at(-1)?.state === 'warm');
  });

  test('what goes wrong is logged, and a later edit tries again', async () => {
    const { backend, logged, statuses, until, edit } = start();
    backend.script.before = (call) => {
      if (call === 'prefill') throw new LongviewError('engineFailed', 'No chunk today.', 'Ask again.');
    };
    warm.configure({ enabled: true, options: OPTIONS });
    await until(() => logged.length > 0);
    assert.match(logged[0]!, /No chunk today/);
    backend.script.before = () => undefined;
    edit('another base');
    await until(() => statuses.at(-1)?.state === 'warm');
  });
});

/** A machine that has the same against beginning as against going on. */
function pressureOf(reason: () => string | undefined): WarmPrefixDependencies['pressure'] {
  const tell = (): Promise<string | undefined> => Promise.resolve(reason());
  return { againstBeginning: tell, againstGoingOn: tell };
}
