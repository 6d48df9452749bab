import assert from 'node:assert/strict';
import { Engine } from '../../../../server/engine/engine';
import type { EngineSettings, WarmRequest } from '../../../../server/engine/generation';
import { Scheduler } from '../../../../server/engine/scheduler';
import { TtftClock } from '../../../../server/engine/ttft-clock';
import type { WarmProgress } from '../../../../server/engine/warming';
import { CancelledError } from '../../../../server/errors';
import { FAKE_TEXT, FakeBackend, FakeProvider, type FakeScript } from './fake-backend';

const SETTINGS: EngineSettings = {
  modelName: 'fake',
  modelPath: '/models/fake.gguf',
  modelSha256: 'a'.repeat(64),
  device: 'auto',
  attention: 'auto',
  quality: 'balanced',
  contextTokens: 100,
};
const ids = (text: string): Int32Array => Int32Array.from(Array.from(text, (char) => char.codePointAt(0)!));
const never = new AbortController().signal;
const quiet = (): void => undefined;

function setup(script: Partial<FakeScript> = {}, idleUnloadMs = 0) {
  const backend = new FakeBackend({ maxSequences: 4, ...script });
  const engine = new Engine({
    backends: new FakeProvider(backend),
    defaults: { cacheDir: '/cache', cpuThreads: 1 },
    onStatus: quiet,
    idleUnloadMs,
  });
  let tick = 0;
  const ask = (prompt: string) =>
    engine.generate(
      {
        settings: Promise.resolve(SETTINGS),
        prompt: Promise.resolve({ id: 2, tokenIds: ids(prompt) }),
        text: Promise.resolve(FAKE_TEXT),
        sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
        maxAnswerTokens: 20,
        clock: new TtftClock(() => tick++),
      },
      quiet,
      never,
    );
  const warm = (prompt: string, more: Partial<WarmRequest> = {}, signal = never) => {
    const seen: WarmProgress[] = [];
    const request = {
      settings: SETTINGS,
      prompt: { id: 1, tokenIds: ids(prompt) },
      breathe: () => Promise.resolve(),
      ...more,
    };
    return { seen, done: engine.warm(request, (progress) => seen.push(progress), signal) };
  };
  return { backend, engine, ask, warm };
}

suite('warming', () => {
  test('computes the base in short chunks; the question computes only what is its own', async () => {
    const { backend, ask, warm } = setup();
    const { seen, done } = warm('0123456789');
    await done;
    assert.deepEqual(backend.chunkSizes, [2, 2, 2, 2, 2]);
    assert.deepEqual(
      seen.map(({ tokens }) => tokens),
      [0, 2, 4, 6, 8, 10],
    );
    backend.chunkSizes.length = 0;
    const result = await ask('0123456789 why?');
    assert.equal(result.cache.cachedTokens, 10);
    assert.deepEqual([result.cache.source, result.cache.comparedWith], ['device', 1]);
    assert.deepEqual(backend.chunkSizes, [4, 1]);
  });

  test('a question ends it after the chunk under way, and finds what was computed', async () => {
    const asked: ReturnType<ReturnType<typeof setup>['ask']>[] = [];
    const { backend, ask, warm } = setup({
      before: (call, count) => {
        if (call === 'prefill' && count === 2) asked.push(ask('0123456789 why?'));
      },
    });
    await assert.rejects(warm('0123456789').done, CancelledError);
    assert.deepEqual(backend.chunkSizes.slice(0, 2), [2, 2]);
    const result = await asked[0]!;
    assert.equal(result.cache.cachedTokens, 4);
    assert.equal(result.answer, 'ok');
  });

  test('waits while questions are answered, and does not count as one', async () => {
    const { ask, warm } = setup();
    const order: string[] = [];
    const first = ask('abcdef').then(() => order.push('first'));
    const warming = warm('0123456789').done.then(() => order.push('warm'));
    const second = ask('abcdef').then(() => order.push('second'));
    await Promise.all([first, second, warming]);
    assert.deepEqual(order, ['first', 'second', 'warm']);
  });

  test('leaves a conversation as it is when it holds the base already', async () => {
    const { backend, ask, warm } = setup();
    await ask('0123456789 why?');
    const before = structuredClone(backend.kv);
    const calls = backend.calls.length;
    await warm('0123456789').done;
    assert.deepEqual(backend.kv, before);
    assert.equal(backend.calls.length, calls);
  });

  test('does nothing between chunks as long as the machine is busy, and stops there when a question comes', async () => {
    const { backend, ask, warm } = setup();
    const { done } = warm('0123456789', {
      breathe: (signal) =>
        new Promise((resolve) => {
          if (backend.chunkSizes.length < 1) resolve();
          else signal.addEventListener('abort', () => resolve(), { once: true });
        }),
    });
    while (backend.chunkSizes.length < 1) await new Promise((resolve) => setImmediate(resolve));
    const answer = ask('0123456789 why?');
    await assert.rejects(done, CancelledError);
    assert.equal((await answer).answer, 'ok');
  });

  test('stopped before its turn, it never touches the device', async () => {
    const { backend, warm } = setup();
    const stop = new AbortController();
    stop.abort();
    await assert.rejects(warm('0123', {}, stop.signal).done, CancelledError);
    assert.deepEqual(backend.calls, []);
  });

  test('a chunk that fails lets go of its sequence, and questions are answered', async () => {
    const { backend, ask, warm } = setup({
      before: (call, count) => {
        if (call === 'prefill' && count === 2) throw new Error('the chunk failed');
      },
    });
    await assert.rejects(warm('0123456789').done, /the chunk failed/);
    assert.deepEqual(backend.kv, []);
    assert.equal((await ask('0123456789 why?')).answer, 'ok');
  });
});

suite('Scheduler with background work', () => {
  test('a question waits for granted background work to be released, and asks for it', async () => {
    const scheduler = new Scheduler();
    const work = scheduler.enqueueBackground();
    await work.granted;
    const next = scheduler.enqueueBackground();
    const positions: number[] = [];
    const question = scheduler.enqueue((ahead) => positions.push(ahead));
    assert.equal(work.preempted.aborted, true);
    assert.equal(question.isGranted, false);
    assert.deepEqual(positions, []);
    work.release();
    assert.equal(question.isGranted, true);
    assert.equal(next.isGranted, false);
    question.release();
    assert.equal(next.isGranted, true);
    assert.equal(next.preempted.aborted, false);
  });

  test('work that left is not granted', () => {
    const scheduler = new Scheduler();
    const question = scheduler.enqueue(quiet);
    const work = scheduler.enqueueBackground();
    work.release();
    question.release();
    assert.equal(work.isGranted, false);
    assert.equal(scheduler.enqueue(quiet).isGranted, true);
  });
});

suite('warming and an idle device', () => {
  const IDLE_MS = 30;
  const rested = async (engine: Engine): Promise<void> => {
    const endMs = performance.now() + 2000;
    while (!engine.isResting && performance.now() < endMs) await new Promise((wake) => setTimeout(wake, 5));
    assert.equal(engine.isResting, true);
  };

  test('what was warmed and is never asked about is let go, too', async () => {
    const { engine, warm } = setup({}, IDLE_MS);
    await warm('0123456789').done;
    await rested(engine);
  });

  test('warming again and again does not keep the device for ever', async () => {
    const { engine, ask, warm } = setup({}, IDLE_MS);
    await ask('0123456789 why?');
    const startMs = performance.now();
    while (!engine.isResting && performance.now() - startMs < 2000) {
      await warm('0123456789').done.catch(quiet);
      await new Promise((wake) => setTimeout(wake, IDLE_MS / 6));
    }
    assert.equal(engine.isResting, true);
  });
});
