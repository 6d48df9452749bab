import assert from 'node:assert/strict';
import type { EngineStatus } from '../../../../protocol';
import { selectionOf } from '../../../../server/engine/attention-policy';
import { Engine } from '../../../../server/engine/engine';
import type {
  EngineSettings,
  GenerationEvent,
  GenerationRequest,
  Prompt,
} from '../../../../server/engine/generation';
import { TtftClock } from '../../../../server/engine/ttft-clock';
import { CancelledError, LongviewError } from '../../../../server/errors';
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

function setup(script: Partial<FakeScript> = {}, idleUnloadMs = 0) {
  const backend = new FakeBackend(script);
  const provider = new FakeProvider(backend);
  const statuses: EngineStatus[] = [];
  const engine = new Engine({
    backends: provider,
    defaults: { cacheDir: '/cache', cpuThreads: 1 },
    onStatus: (status) => statuses.push(status),
    idleUnloadMs,
  });
  return { backend, provider, engine, statuses };
}

let tick = 0;
const request = (prompt: string | Promise<Prompt>, more: Partial<GenerationRequest> = {}) => ({
  settings: Promise.resolve(SETTINGS),
  prompt: typeof prompt === 'string' ? Promise.resolve({ id: tick++, tokenIds: ids(prompt) }) : prompt,
  text: Promise.resolve(FAKE_TEXT),
  sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
  maxAnswerTokens: 20,
  clock: new TtftClock(() => tick++),
  ...more,
});

const ids = (text: string): Int32Array => Int32Array.from(Array.from(text, (char) => char.codePointAt(0)!));
const quiet = (): void => undefined;
const never = new AbortController().signal;

suite('Engine', () => {
  test('prefills in chunks, streams the answer and tells how far it is', async () => {
    const { engine, backend } = setup({ answer: 'hello' });
    const events: GenerationEvent[] = [];
    const result = await engine.generate(request('0123456789'), (event) => events.push(event), never);

    assert.deepEqual(backend.chunkSizes, [4, 4, 2]);
    assert.equal(result.answer, 'hello');
    assert.equal(result.stopReason, 'endOfTurn');
    assert.equal(result.answerTokens, 5);
    assert.equal(result.cache.cachedTokens, 0);
    const prefill = events.filter((event) => event.kind === 'prefill');
    assert.deepEqual(
      prefill.map(({ processed, total, cached }) => [processed, total, cached]),
      [
        [4, 10, 0],
        [8, 10, 0],
        [10, 10, 0],
      ],
    );
    assert.equal(prefill.at(-1)?.etaMs, 0);
    assert.ok(prefill[0]!.etaMs > 0);
    const text = events.filter((event) => event.kind === 'token').map((event) => event.text);
    assert.equal(text.join(''), 'hello');
  });

  test('within a chunk, too, it tells how far it is, from layer to layer and never back', async () => {
    const { engine } = setup({ shares: [0, 0.3, 0.5, 1] });
    const events: GenerationEvent[] = [];
    await engine.generate(request('0123456789'), (event) => events.push(event), never);
    const prefill = events.filter((event) => event.kind === 'prefill');
    assert.deepEqual(
      prefill.map(({ processed }) => processed),
      // Nothing is said before there is a pace: the first part of the first chunk gives one.
      [1, 2, 4, 4, 4, 5, 6, 8, 8, 8, 8, 9, 10, 10],
    );
    assert.ok(prefill.every(({ total, etaMs }) => total === 10 && Number.isFinite(etaMs)));
    assert.ok(prefill[0]!.etaMs > 0);
    assert.equal(prefill.at(-1)?.etaMs, 0);
  });

  test('reuses the exact token prefix of the last prompt and answer', async () => {
    const { engine, backend } = setup({ answer: 'xyz' });
    await engine.generate(request('abcdefgh'), quiet, never);
    backend.chunkSizes.length = 0;
    const result = await engine.generate(request('abcdefghxy??'), quiet, never);

    assert.equal(result.cache.cachedTokens, 10, 'the prompt and the shared part of the answer');
    assert.deepEqual(backend.chunkSizes, [2]);
    assert.deepEqual(backend.kv, [[...ids('abcdefghxy??xyz')]]);
  });

  suite('several prompts', () => {
    const base = 'b'.repeat(600);
    const roomy = { contextTokens: 2000, maxSequences: 4, kvPoolTokens: 4000, chunkTokens: 500 };
    const settings = Promise.resolve({ ...SETTINGS, contextTokens: 2000 });
    const ask = (engine: Engine, prompt: string, more: Partial<GenerationRequest> = {}) =>
      engine.generate(request(prompt, { settings, ...more }), quiet, never);

    test('two chats about one repository keep what each has beside the other', async () => {
      const { engine, backend } = setup(roomy);
      const one = `${base}${'1'.repeat(700)}`;
      const other = `${base}${'2'.repeat(700)}`;
      await ask(engine, one);
      const second = await ask(engine, other);
      assert.equal(second.cache.cachedTokens, 600);
      const again = await ask(engine, `${one}?`);
      assert.equal(again.cache.cachedTokens, 1300, 'the first was not given up');
      assert.equal((await ask(engine, `${other}?`)).cache.cachedTokens, 1300);
      assert.deepEqual(
        backend.calls.filter((call) => ['open', 'fork', 'close'].includes(call)),
        ['open', 'fork'],
      );
    });

    test('the longest unused makes room, and the miss says so', async () => {
      const { engine, backend } = setup({ ...roomy, maxSequences: 2 });
      const prompts = ['1', '2', '3'].map((letter) => letter.repeat(700));
      for (const prompt of prompts) await ask(engine, prompt);
      assert.equal(backend.kv.length, 2);
      assert.equal((await ask(engine, `${prompts[2]!}?`)).cache.cachedTokens, 700);
      const evicted = await ask(engine, prompts[0]!);
      assert.equal(evicted.cache.cachedTokens, 0);
      assert.equal(evicted.cache.reason, 'evicted');
    });

    test('memory is counted in tokens, and one context is always possible', async () => {
      const { engine, backend } = setup({ ...roomy, kvPoolTokens: 2000 });
      for (const letter of ['1', '2', '3']) await ask(engine, letter.repeat(900));
      assert.equal(backend.kv.length, 2);
      await ask(engine, '4'.repeat(1900));
      assert.equal(backend.kv.length, 1);
    });

    test('a miss names what it was compared with and why', async () => {
      const { engine } = setup(roomy);
      const named = (id: number, text: string) => ({ prompt: Promise.resolve({ id, tokenIds: ids(text) }) });
      const first = await ask(engine, '', named(7, `${base}one`));
      assert.equal(first.cache.reason, 'loaded');
      assert.equal(first.cache.comparedWith, undefined);
      const second = await ask(engine, '', named(8, `${base}two`));
      assert.deepEqual(
        [second.cache.reason, second.cache.comparedWith, second.cache.cachedTokens],
        ['changed', 7, 600],
      );
    });
  });

  test('computes the last prompt token again when the whole prompt is held', async () => {
    const { engine } = setup();
    await engine.generate(request('abcdefgh'), quiet, never);
    const result = await engine.generate(request('abcdefgh'), quiet, never);
    assert.equal(result.cache.cachedTokens, 7);
    assert.equal(result.answer, 'ok');
  });

  for (const [what, change] of [
    ['another model', { modelSha256: 'b'.repeat(64) }],
    ['another context', { contextTokens: 50 }],
    ['positions stretched by YaRN', { yarnFactor: 4 }],
    ['another device', { device: 'cpu' }],
  ] as const) {
    test(`never reuses KV under ${what}`, async () => {
      const { engine, backend } = setup();
      await engine.generate(request('abcdefgh'), quiet, never);
      const result = await engine.generate(
        request('abcdefgh', { settings: Promise.resolve({ ...SETTINGS, ...change }) }),
        quiet,
        never,
      );
      assert.equal(result.cache.cachedTokens, 0);
      assert.equal(backend.calls.filter((call) => call === 'load').length, 2);
    });
  }

  suite('with SampleAttention', () => {
    const LONG = 'abcdefghijklmnop'.repeat(100);
    const sparseSetup = () =>
      setup({ chunkTokens: 512, contextTokens: 4000, sampleUnavailable: undefined, answer: 'xyz' });
    const ask = (engine: Engine, prompt: string, wish: Partial<EngineSettings>) =>
      engine.generate(
        request(prompt, { settings: Promise.resolve({ ...SETTINGS, contextTokens: 4000, ...wish }) }),
        quiet,
        never,
      );

    test('runs sparse up to the dense tail and counts the blocks', async () => {
      const { engine, backend } = sparseSetup();
      const result = await ask(engine, LONG, { attention: 'sample', quality: 'fast' });
      assert.equal(result.attention.kind, 'sample');
      assert.deepEqual(backend.chunkSizes, [512, 512, 512, 64]);
      assert.deepEqual(new Set(backend.sparse.map((sparse) => sparse?.denseFromToken)), new Set([1024]));
      assert.deepEqual(backend.sparse[0]?.selection, selectionOf('fast', undefined));
      assert.deepEqual(result.blocks, { kept: 4, visible: 16 });
    });

    test('reuses what ran sparse, in whole tiles; neither the dense tail nor the answer', async () => {
      const { engine } = sparseSetup();
      await ask(engine, LONG, { attention: 'sample' });
      const again = await ask(engine, `${LONG}xyz and more`, { attention: 'sample' });
      assert.equal(again.cache.cachedTokens, 1024);
      assert.equal(again.cache.tokensReadAnew, 0);
    });

    for (const [what, first, second] of [
      ['dense under sample', { attention: 'dense' }, { attention: 'sample' }],
      ['sample under dense', { attention: 'sample' }, { attention: 'dense' }],
      ['balanced under fast', { attention: 'sample' }, { attention: 'sample', quality: 'fast' }],
    ] as const) {
      test(`never reuses KV made ${what}, and says so; the model stays`, async () => {
        const { engine, backend } = sparseSetup();
        await ask(engine, LONG, first);
        const result = await ask(engine, LONG, second);
        assert.equal(result.cache.cachedTokens, 0);
        assert.equal(result.cache.tokensReadAnew, 1600);
        assert.equal(backend.calls.filter((call) => call === 'load').length, 1);
      });
    }

    test('is refused by name where the loaded device lacks it, before the prompt runs', async () => {
      const { engine, backend } = setup({ sampleUnavailable: 'it is a fake' });
      await ask(engine, 'abc', { attention: 'auto' });
      await assert.rejects(ask(engine, 'abc', { attention: 'sample' }), {
        code: 'attentionUnavailable',
        message: /it is a fake/,
      });
      assert.equal(backend.calls.filter((call) => call === 'prefill').length, 1);
      assert.equal((await ask(engine, 'abc', { attention: 'dense' })).answer, 'ok');
    });
  });

  test('a copy of the same weights under another path is the same model', async () => {
    const { engine, backend } = setup();
    await engine.generate(request('abcdefgh'), quiet, never);
    await engine.generate(
      request('abcdefgh', { settings: Promise.resolve({ ...SETTINGS, modelPath: '/b.gguf' }) }),
      quiet,
      never,
    );
    assert.equal(backend.calls.filter((call) => call === 'load').length, 1);
  });

  test('cancel in prefill stops before the next chunk and leaves a reusable sequence', async () => {
    const stop = new AbortController();
    const { engine, backend } = setup({
      before: (call, count) => {
        if (call === 'prefill' && count === 2) stop.abort();
      },
    });
    await assert.rejects(engine.generate(request('0123456789ab'), quiet, stop.signal), CancelledError);
    assert.deepEqual(backend.chunkSizes, [4, 4], 'the chunk that ran is the last');

    const result = await engine.generate(request('0123456789ab'), quiet, never);
    assert.equal(result.cache.cachedTokens, 8);
    assert.equal(result.answer, 'ok');
  });

  test('cancel ends the chunk under way where the device can', async () => {
    const stop = new AbortController();
    let end: () => void = () => assert.fail('nothing to end');
    let isFirst = true;
    const { engine, backend } = setup({
      before: async (call) => {
        if (call !== 'prefill' || !isFirst) return;
        isFirst = false;
        const ended = new Promise<void>((resolve) => {
          end = resolve;
        });
        stop.abort();
        await ended;
        throw new CancelledError();
      },
    });
    const interrupt = (): Promise<void> => {
      end();
      return Promise.resolve();
    };
    Object.assign(backend, { interrupt });
    await assert.rejects(engine.generate(request('0123456789ab'), quiet, stop.signal), CancelledError);
    assert.equal(engine.status.state, 'ready');
    assert.equal((await engine.generate(request('0123456789ab'), quiet, never)).answer, 'ok');
  });

  test('tells the device which step may begin before it is asked for', async () => {
    const { engine, backend } = setup({ answer: 'a long answer' });
    const result = await engine.generate(request('abc', { maxAnswerTokens: 4 }), quiet, never);
    assert.equal(result.answer, 'a lo');
    assert.deepEqual(backend.continued, [true, true, false]);
  });

  test('cancel in decode keeps the text so far', async () => {
    const stop = new AbortController();
    const { engine } = setup({
      answer: 'a long answer',
      before: (call, count) => {
        if (call === 'decode' && count === 3) stop.abort();
      },
    });
    const result = await engine.generate(request('abc'), quiet, stop.signal);
    assert.equal(result.stopReason, 'cancelled');
    assert.equal(result.answer, 'a lo');
  });

  test('cancel while loading answers at once, and the next question waits for the load to end', async () => {
    let finishLoad: () => void = quiet;
    const stop = new AbortController();
    const { engine, backend } = setup({
      before: (call, count) =>
        call === 'load' && count === 1
          ? new Promise<void>((resolve) => {
              finishLoad = resolve;
              stop.abort();
            })
          : undefined,
    });
    await assert.rejects(engine.generate(request('abc'), quiet, stop.signal), CancelledError);
    const next = engine.generate(request('abc'), quiet, never);
    finishLoad();
    assert.equal((await next).answer, 'ok');
    assert.equal(backend.calls.filter((call) => call === 'load').length, 1, 'the load was not lost');
  });

  test('an error in a chunk lets go of the sequence and keeps the engine usable', async () => {
    const { engine, backend, statuses } = setup({
      before: (call, count) => {
        if (call === 'prefill' && count === 2)
          throw new LongviewError('engineFailed', 'The chunk failed.', 'Ask again.');
      },
    });
    await assert.rejects(engine.generate(request('0123456789'), quiet, never), /The chunk failed/);
    assert.deepEqual(backend.kv, []);
    assert.deepEqual(statuses.at(-1)?.state, 'failed');
    assert.match(statuses.at(-1)?.message ?? '', /The chunk failed. Ask again./);

    const result = await engine.generate(request('0123456789'), quiet, never);
    assert.equal(result.cache.cachedTokens, 0);
    assert.equal(result.answer, 'ok');
    assert.equal(statuses.at(-1)?.state, 'ready');
  });

  test('a crash fails the running question, and the next one loads the model anew', async () => {
    const { engine, provider, backend } = setup({ answer: 'a long answer' });
    backend.script.before = (call, count) => {
      if (call === 'decode' && count === 3) throw provider.crash();
    };
    await assert.rejects(engine.generate(request('abcdef'), quiet, never), { code: 'engineCrashed' });
    const result = await engine.generate(request('abcdef'), quiet, never);
    assert.equal(result.answer, 'a long answer');
    assert.equal(result.cache.cachedTokens, 0);
    assert.deepEqual(provider.backend.calls.slice(0, 2), ['load', 'open']);
  });

  test('a backend that cannot close a sequence is loaded anew', async () => {
    const { engine, backend } = setup({
      before: (call, count) => {
        if (call === 'prefill' && count === 1)
          throw new LongviewError('engineFailed', 'chunk failed', 'Ask again.');
        if (call === 'close') throw new LongviewError('engineFailed', 'close failed', 'Ask again.');
      },
    });
    await assert.rejects(engine.generate(request('abcdef'), quiet, never), /could not free.*close failed/);
    assert.equal((await engine.generate(request('abcdef'), quiet, never)).answer, 'ok');
    assert.equal(backend.calls.filter((call) => call === 'load').length, 2);
  });

  test('refuses a prompt that fills the context, and holds the answer inside it', async () => {
    const { engine } = setup({ contextTokens: 10, answer: 'abcdefghijk' });
    await assert.rejects(engine.generate(request('0123456789'), quiet, never), { code: 'promptTooLong' });
    const result = await engine.generate(request('0123456'), quiet, never);
    assert.equal(result.answer, 'abc');
    assert.equal(result.stopReason, 'maxTokens');
  });

  test('ends at a stop sequence that runs across tokens, without showing it', async () => {
    const { engine } = setup({ answer: 'one\n\nQ: two' });
    const result = await engine.generate(
      request('abc', { sampling: { temperature: 0, topP: 1, topK: 0, stop: ['\n\nQ:', ''] } }),
      quiet,
      never,
    );
    assert.equal(result.answer, 'one');
    assert.equal(result.stopReason, 'stopSequence');
  });

  test('answers one question at a time, in order, and shows the queue', async () => {
    const { engine, statuses } = setup();
    const positions: string[] = [];
    const finished: string[] = [];
    const ask = async (name: string): Promise<void> => {
      await engine.generate(
        request('abcdef'),
        (event) => event.kind === 'queued' && positions.push(`${name}:${event.ahead}`),
        never,
      );
      finished.push(name);
    };
    await Promise.all([ask('a'), ask('b'), ask('c')]);
    assert.deepEqual(finished, ['a', 'b', 'c']);
    assert.deepEqual(positions, ['b:1', 'c:2', 'c:1']);
    assert.equal(Math.max(...statuses.map(({ queued }) => queued)), 2);
    assert.equal(statuses.at(-1)?.queued, 0);
  });

  test('a question cancelled in the queue leaves it', async () => {
    const { engine, backend } = setup();
    const stop = new AbortController();
    const first = engine.generate(request('abcdef'), quiet, never);
    const second = engine.generate(request('ghijkl'), quiet, stop.signal);
    const third = engine.generate(request('abcdef'), quiet, never);
    stop.abort();
    await assert.rejects(second, CancelledError);
    await Promise.all([first, third]);
    assert.equal(backend.calls.filter((call) => call === 'load').length, 1);
    assert.deepEqual(backend.chunkSizes, [4, 2, 1]);
  });

  test('a prompt that cannot be packed fails the question and gives its place back', async () => {
    const { engine } = setup();
    const broken = Promise.reject(new LongviewError('noWorkspace', 'No folder.', 'Open one.'));
    await assert.rejects(engine.generate(request(broken), quiet, never), { code: 'noWorkspace' });
    assert.equal((await engine.generate(request('abc'), quiet, never)).answer, 'ok');
  });

  test('a load that fails does not wait for the prompt', async () => {
    const { engine } = setup({
      before: (call) => {
        if (call === 'load') throw new LongviewError('attentionUnavailable', 'No kernels.', 'Use dense.');
      },
    });
    const unpacked = new Promise<Prompt>(() => undefined);
    await assert.rejects(engine.generate(request(unpacked), quiet, never), { code: 'attentionUnavailable' });
  });
});

suite('Engine that nobody asks', () => {
  const IDLE_MS = 20;

  async function released(provider: FakeProvider, times: number): Promise<void> {
    const endMs = performance.now() + 2000;
    while (provider.released < times && performance.now() < endMs)
      await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(provider.released, times);
  }

  test('lets go of the device after its time, and loads anew for the next question', async () => {
    const { engine, provider, backend } = setup({}, IDLE_MS);
    await engine.generate(request('abc'), quiet, never);
    await released(provider, 1);
    await new Promise(setImmediate);
    assert.equal(engine.status.state, 'idle');
    assert.equal(engine.status.model, undefined);
    assert.equal(engine.isResting, true);
    const { cache } = await engine.generate(request('abc'), quiet, never);
    assert.equal(cache.cachedTokens, 0);
    assert.equal(engine.isResting, false);
    assert.notEqual(provider.backend, backend);
    await released(provider, 2);
  });

  test('does not while a question is answered or waits', async () => {
    let letGo: () => void = quiet;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { engine, provider } = setup(
      { before: (call) => (call === 'prefill' ? held : undefined) },
      IDLE_MS,
    );
    const answers = [
      engine.generate(request('abc'), quiet, never),
      engine.generate(request('abd'), quiet, never),
    ];
    await new Promise((resolve) => setTimeout(resolve, 4 * IDLE_MS));
    assert.equal(provider.released, 0);
    letGo();
    const [, second] = await Promise.all(answers);
    assert.equal(second?.cache.cachedTokens, 2, 'the prefix was kept');
    await released(provider, 1);
  });

  test('keeps it for ever where no time is set', async () => {
    const { engine, provider } = setup();
    await engine.generate(request('abc'), quiet, never);
    await new Promise((resolve) => setTimeout(resolve, 3 * IDLE_MS));
    assert.equal(provider.released, 0);
  });
});
