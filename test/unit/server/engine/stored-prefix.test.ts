import assert from 'node:assert/strict';
import type { PrefillPrecision } from '../../../../protocol';
import { Engine } from '../../../../server/engine/engine';
import type { EngineSettings } from '../../../../server/engine/generation';
import { TtftClock } from '../../../../server/engine/ttft-clock';
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
const BASE = 'the base of all questions';
const never = new AbortController().signal;
const quiet = (): void => undefined;
const ids = (text: string): Int32Array => Int32Array.from(Array.from(text, (char) => char.codePointAt(0)!));

suite('prefixes kept beside the device', () => {
  let stored: Map<string, number[]>;
  let costs: Map<string, number>;
  setup(() => {
    stored = new Map();
    costs = new Map();
  });

  /** An engine that starts with what earlier ones stored. */
  function start(
    script: Partial<FakeScript> = {},
    now?: () => number,
    prefillPrecision: PrefillPrecision = 'bf16',
  ) {
    const backend = new FakeBackend({ maxSequences: 4, ...script }, stored, costs);
    const logged: string[] = [];
    const engine = new Engine({
      backends: new FakeProvider(backend),
      defaults: {
        ...{ cacheDir: '/cache', cpuThreads: 1, prefillPrecision },
        kvStore: { memoryBytes: 1, diskBytes: 1 },
      },
      onStatus: quiet,
      log: (line) => logged.push(line),
      ...(now && { now }),
    });
    let tick = 0;
    const ask = (prompt: string, settings = SETTINGS, signal = never) =>
      engine.generate(
        {
          settings: Promise.resolve(settings),
          prompt: Promise.resolve({ id: 2, tokenIds: ids(prompt) }),
          text: Promise.resolve(FAKE_TEXT),
          sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
          maxAnswerTokens: 20,
          clock: new TtftClock(() => tick++),
        },
        quiet,
        signal,
      );
    const warm = (base = BASE) => {
      const prompt = { id: 1, tokenIds: ids(base) };
      return engine.warm({ settings: SETTINGS, prompt, breathe: () => Promise.resolve() }, quiet, never);
    };
    return { backend, engine, logged, ask, warm };
  }
  /** What the device holds is what the prompt says: the KV of a token is the token here. */
  const holdsExactly = (backend: FakeBackend, prompt: string): void => {
    const kv = backend.kv.at(-1)!;
    assert.equal(String.fromCodePoint(...kv.slice(0, prompt.length)), prompt);
  };

  test('a warm base outlives the process: the next one computes only the rest', async () => {
    await start().warm();
    assert.equal(stored.size, 6, 'whole blocks of 4 of 25 tokens');
    const { backend, ask } = start();
    const result = await ask(`${BASE}: why?`);
    assert.deepEqual([result.cache.cachedTokens, result.cache.source], [24, 'disk']);
    assert.deepEqual(backend.chunkSizes, [4, 3]);
    holdsExactly(backend, `${BASE}: why?`);
  });

  test('it is restored behind what the device has, in whole blocks', async () => {
    await start().warm();
    const { backend, ask } = start();
    await ask('the base of none');
    backend.calls.length = 0;
    const result = await ask(`${BASE}: why?`);
    assert.deepEqual([result.cache.cachedTokens, result.cache.source], [24, 'disk']);
    holdsExactly(backend, `${BASE}: why?`);
    assert.equal(
      backend.calls.filter((call) => call === 'restore').length,
      3,
      'the first 12 tokens were there',
    );
  });

  test('nothing is restored for a block or less, nor looked for when all is there', async () => {
    await start().warm();
    const { backend, ask } = start();
    await ask(BASE);
    backend.calls.length = 0;
    await ask(BASE);
    assert.ok(!backend.calls.includes('count'));
  });

  for (const [what, change] of [
    ['another model', { modelSha256: 'b'.repeat(64) }],
    ['another context', { contextTokens: 90 }],
    ['other positions', { yarnFactor: 4 }],
  ] as const) {
    test(`nothing made under ${what} is restored`, async () => {
      await start().warm();
      const { ask } = start();
      assert.equal((await ask(`${BASE}: why?`, { ...SETTINGS, ...change })).cache.cachedTokens, 0);
    });
  }

  test('nothing made in fp8 is restored in bf16, nor the other way round', async () => {
    await start({}, undefined, 'fp8').warm();
    assert.equal((await start().ask(`${BASE}: why?`)).cache.cachedTokens, 0);
    stored.clear();
    await start().warm();
    assert.equal((await start({}, undefined, 'fp8').ask(`${BASE}: why?`)).cache.cachedTokens, 0);
    assert.equal((await start().ask(`${BASE}: why?`)).cache.cachedTokens, 24);
  });

  test('a prompt that differs anywhere before a block does not find it', async () => {
    await start().warm();
    const { ask } = start();
    const { cache } = await ask(`the bass${BASE.slice(8)}`);
    assert.equal(cache.cachedTokens, 4);
  });

  test('a block that is damaged or gone ends the restore there, and the miss says so', async () => {
    await start().warm();
    const keys = [...stored.keys()];
    stored.set(keys[2]!, [1]);
    const { backend, ask } = start();
    const damaged = await ask(`${BASE}: why?`);
    assert.deepEqual([damaged.cache.cachedTokens, damaged.cache.reason], [8, 'damaged']);
    holdsExactly(backend, `${BASE}: why?`);
  });

  test('a disk that refuses is told once, and nothing more is written', async () => {
    const { backend, logged, warm } = start({ diskFailure: 'ENOSPC: no space left' });
    await warm();
    await warm('another base altogether');
    assert.equal(logged.length, 1);
    assert.match(logged[0]!, /no space left/);
    assert.equal(backend.calls.filter((call) => call === 'store').length, 1);
  });

  test('a question ends the storing between two blocks; the rest follows when nobody asks', async () => {
    let answer: Promise<unknown> | undefined;
    const { backend, ask, warm } = start({
      before: (call, count) => {
        if (call === 'store' && count === 2) answer = ask(`${BASE}: why?`);
      },
    });
    await assert.rejects(warm(), CancelledError);
    assert.equal(stored.size, 2);
    await answer;
    await warm();
    assert.equal(stored.size, 6);
    assert.equal(backend.calls.filter((call) => call === 'store').length, 6, 'nothing twice');
  });

  test('stopped while blocks come back, what came stays usable', async () => {
    await start().warm();
    const stop = new AbortController();
    const { backend, ask } = start({
      before: (call, count) => {
        if (call === 'restore' && count === 3) stop.abort();
      },
    });
    await assert.rejects(ask(`${BASE}: why?`, SETTINGS, stop.signal), CancelledError);
    const result = await ask(`${BASE}: why?`);
    assert.equal(result.cache.cachedTokens, 24);
    holdsExactly(backend, `${BASE}: why?`);
  });

  suite('where bringing back and computing both take their time', () => {
    const LONG = Array.from({ length: 400 }, (_, at) => String.fromCodePoint(40 + (at % 80))).join('');
    const roomy = { chunkTokens: 200, contextTokens: 1000, kvPoolTokens: 4000 };
    const settings = { ...SETTINGS, contextTokens: 1000 };
    /** An engine that has kept `LONG` and measured how long computing takes: 200 tokens in `deviceMs`. */
    async function measured(deviceMs: number, restoreMs: number) {
      const first = start(roomy);
      const prompt = { id: 1, tokenIds: ids(LONG) };
      await first.engine.warm({ settings, prompt, breathe: () => Promise.resolve() }, quiet, never);
      assert.equal(stored.size, 100);
      let nowMs = 0;
      const next = start(
        {
          ...roomy,
          deviceMs,
          before: (call) => {
            if (call === 'restore') nowMs += restoreMs;
          },
        },
        () => nowMs,
      );
      await next.ask('~'.repeat(250), settings);
      next.backend.chunkSizes.length = 0;
      return next;
    }

    test('what comes back sooner is brought back', async () => {
      // 50 ms a token computed, 1 ms a token restored.
      const { backend, ask } = await measured(10_000, 4);
      const { cache } = await ask(`${LONG}: why?`, settings);
      assert.deepEqual([cache.cachedTokens, cache.source, cache.slower], [400, 'disk', undefined]);
      assert.deepEqual(backend.chunkSizes, [6]);
    });

    test('what is computed sooner is computed, after a probe that is kept, and both times are told', async () => {
      // 0.05 ms a token computed, 1 ms a token restored.
      const { backend, ask } = await measured(10, 4);
      const { cache } = await ask(`${LONG}: why?`, settings);
      assert.deepEqual([cache.cachedTokens, cache.source], [32, 'disk']);
      assert.deepEqual(
        [cache.slower?.restoreMs, Math.round(cache.slower?.computeMs ?? 0)],
        [368, 18],
        'of the 368 tokens behind the probe of eight blocks',
      );
      assert.deepEqual(backend.chunkSizes, [200, 174]);
      holdsExactly(backend, `${LONG}: why?`);
    });

    /** A process that has computed nothing yet, and to which each block comes within `restoreMs`. */
    function fresh(restoreMs: number) {
      let nowMs = 0;
      const before = (call: string): void => {
        if (call === 'restore') nowMs += restoreMs;
      };
      return start({ ...roomy, before }, () => nowMs);
    }

    test('a new process knows from what is kept how long computing it took', async () => {
      await measured(10, 4);
      assert.equal(costs.size, 100);
      // One millisecond for the hundred tokens of a chunk, as the first process measured it.
      const slow = await fresh(4).ask(`${LONG}: why?`, settings);
      assert.deepEqual(
        [
          slow.cache.cachedTokens,
          slow.cache.slower?.restoreMs,
          Math.round(slow.cache.slower?.computeMs ?? 0),
        ],
        [32, 368, 4],
      );
      const quick = await fresh(0.02).ask(`${LONG}: why?`, settings);
      assert.deepEqual([quick.cache.cachedTokens, quick.cache.slower], [400, undefined]);
    });

    test('where nothing tells how long computing takes, what is kept is brought back', async () => {
      await measured(10, 4);
      costs.clear();
      assert.equal((await fresh(1000).ask(`${LONG}: why?`, settings)).cache.cachedTokens, 400);
    });
  });

  test('a purge forgets the device and what is beside it', async () => {
    const { backend, engine, ask, warm } = start();
    await warm();
    assert.equal(await engine.purge(), 42);
    assert.deepEqual([backend.kv, stored.size], [[], 0]);
    assert.equal((await ask(`${BASE}: why?`)).cache.cachedTokens, 0);
  });
});
