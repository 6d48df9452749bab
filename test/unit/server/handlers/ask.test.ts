import assert from 'node:assert/strict';
import type { AskEvent, AskParams, Device, InclusionReport } from '../../../../protocol';
import type { BrokenGrammar, ContextService, PackRequest } from '../../../../server/context/context-service';
import { Engine } from '../../../../server/engine/engine';
import { CancelledError, LongviewError } from '../../../../server/errors';
import { type AskDependencies, AskHandler } from '../../../../server/handlers/ask';
import { PromptMemory } from '../../../../server/handlers/prompt-memory';
import { FAKE_TEXT, FakeBackend, FakeProvider, type FakeScript } from '../engine/fake-backend';

const INCLUSION: InclusionReport = {
  totalFiles: 1,
  included: [{ path: 'a.ts', tokens: 3, reason: 'all' }],
  excerpts: [],
  excluded: [],
  excludedByReason: {},
  fileTokens: 3,
  budgetTokens: 80,
  promptTokens: 8,
  newerVersions: [],
  pinsWithoutRoom: ['a.ts', 'b.ts'],
  historyTokens: 0,
  droppedTurns: 2,
  shortenedTurns: 0,
};

const MODEL = {
  id: 'fake-model',
  name: 'Fake',
  path: '/models/fake.gguf',
  sha256: 'a'.repeat(64),
  trainedContextTokens: 200,
  cpuContextTokens: 100,
};

const PARAMS: AskParams = {
  question: 'why?',
  history: [],
  attachments: [],
  options: {
    device: 'auto',
    attention: 'auto',
    quality: 'balanced',
    maxAnswerTokens: 20,
    sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
  },
};

/** Packs every question into eight tokens. */
class FakeContext implements ContextService {
  readonly requests: PackRequest[] = [];
  readonly released: number[] = [];
  failure: Error | undefined;
  brokenGrammars: BrokenGrammar[] = [];
  private lastPackId = 6;

  async pack(request: PackRequest, onProgress: (fraction: number) => void, signal: AbortSignal) {
    this.requests.push(request);
    onProgress(0.5);
    await Promise.resolve();
    if (this.failure) throw this.failure;
    if (signal.aborted) throw new CancelledError();
    return {
      packId: ++this.lastPackId,
      tokenIds: new Int32Array(8).fill(65),
      spans: [],
      inclusion: INCLUSION,
      tokenizeMs: 1,
      brokenGrammars: this.brokenGrammars,
    };
  }

  packBase = () => Promise.reject(new Error('not asked for here'));
  countAttachments = () => Promise.reject(new Error('not asked for here'));
  find = () => Promise.reject(new Error('not asked for here'));

  cite(packId: number, answer: string) {
    assert.ok(packId <= this.lastPackId);
    assert.ok(!this.released.includes(packId), 'cited after it was released');
    return Promise.resolve({
      citations: [
        { path: 'a.ts', startLine: 1, endLine: 1, verified: true, origin: 'quote', claim: answer } as const,
      ],
      symbols: [],
    });
  }

  release(packId: number): void {
    this.released.push(packId);
  }

  sync = () => Promise.resolve({ resync: false, files: 0 });
  overlay = () => Promise.resolve();
  choose = () => Promise.resolve();
  inspect = () => Promise.reject(new Error('not asked for here'));
  asked = () => Promise.resolve(null);
  folder = () => Promise.reject(new Error('not asked for here'));
  promptText = () => Promise.reject(new Error('not asked for here'));
  tokenTable = () => Promise.reject(new Error('not asked for here'));
  dispose = () => Promise.resolve();
}

function setup(
  script: Partial<FakeScript> = {},
  resolve: AskDependencies['models']['resolve'] = () => Promise.resolve(MODEL),
  autoDevice: Device = 'cpu',
) {
  const context = new FakeContext();
  const engine = new Engine({
    backends: new FakeProvider(new FakeBackend(script), autoDevice),
    defaults: { cacheDir: '/cache', cpuThreads: 1 },
    onStatus: () => undefined,
  });
  let now = 0;
  const handler = new AskHandler({
    models: { resolve },
    context,
    engine,
    tokenText: () => Promise.resolve(FAKE_TEXT),
    prompts: new PromptMemory(),
    now: () => now++,
  });
  const events: AskEvent[] = [];
  const ask = (params: Partial<AskParams['options']> = {}, signal = new AbortController().signal) =>
    handler.ask(
      { ...PARAMS, options: { ...PARAMS.options, ...params } },
      { signal, emit: (batch) => events.push(...batch) },
    );
  return { ask, context, events };
}

function withResolver<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

suite('AskHandler', () => {
  test('chooses model and context for the device that "auto" comes to', async () => {
    const asked: Device[] = [];
    const resolve: AskDependencies['models']['resolve'] = (_, device) => {
      asked.push(device);
      return Promise.resolve(MODEL);
    };
    const onGpu = setup({}, resolve, 'cuda');
    await onGpu.ask({ device: 'auto' });
    await onGpu.ask({ device: 'cpu' });
    assert.deepEqual(asked, ['cuda', 'cpu']);
    assert.deepEqual(
      onGpu.context.requests.map(({ budgetTokens }) => budgetTokens),
      [180, 80],
      'all that the model was trained for, or what a CPU reads in time, less the longest answer',
    );
  });

  test('records what the kernels of a prefill took, where the device tells', async () => {
    assert.equal((await setup().ask()).record.prefillKernelsMs, undefined);
    const { record } = await setup({ attentionMs: 0.25 }).ask();
    // Eight tokens in chunks of four.
    assert.deepEqual(record.prefillKernelsMs, { attention: 0.5, other: 1.5 });
  });

  test('records how prefill multiplied, where the device tells', async () => {
    assert.equal((await setup().ask()).record.prefillPrecision, undefined);
    assert.equal((await setup({ prefillPrecision: 'fp8' }).ask()).record.prefillPrecision, 'fp8');
  });

  test('on a GPU the default context goes as far as YaRN may', async () => {
    const { ask, context } = setup({}, () => Promise.resolve({ ...MODEL, yarnFactor: 4 }), 'cuda');
    await ask({ device: 'auto' });
    await ask({ device: 'cpu' });
    assert.deepEqual(
      context.requests.map(({ budgetTokens }) => budgetTokens),
      [780, 80],
    );
  });

  test('packs, generates, cites and records', async () => {
    const { ask, context, events } = setup({ answer: 'because' });
    const result = await ask();
    assert.equal(result.answer, 'because');
    assert.equal(result.stopReason, 'endOfTurn');
    assert.equal(result.citations[0]?.claim, 'because');
    assert.deepEqual(result.inclusion, INCLUSION);
    assert.equal(context.requests[0]?.budgetTokens, 80, 'context less the longest answer');
    assert.equal(context.requests[0].modelPath, MODEL.path);

    const { record } = result;
    assert.equal(record.model, 'fake-model');
    assert.equal(record.promptTokens, 8);
    assert.equal(record.answerTokens, 7);
    assert.equal(record.contextTokens, 100);
    assert.deepEqual(record.notices, [
      '2 earlier messages left out: no room in the context.',
      'Pinned, and not there whole, since they do not fit: a.ts and 1 more.',
    ]);
    const { queue, load, context: packing, prefill, firstToken } = record.stagesMs;
    assert.equal(queue + load + packing + prefill + firstToken, record.ttftMs);

    const text = events.map((event) => (event.kind === 'token' ? event.text : '')).join('');
    assert.equal(text, 'because');
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, index) => index),
    );
    const kinds = events.map(({ kind }) => kind);
    assert.ok(kinds.indexOf('packed') < kinds.indexOf('prefill'));
    assert.ok(kinds.indexOf('prefill') < kinds.indexOf('token'));
    assert.equal(kinds.at(-1), 'done');
  });

  test('a grammar that is missing is told with the answer', async () => {
    const { ask, context } = setup({ answer: 'because' });
    context.brokenGrammars = ['go', 'rust'].map((grammar) => ({ grammar, reason: 'no such file' }));
    const { notices } = (await ask()).record;
    assert.match(notices.at(-1) ?? '', /^Signatures of go, rust .*\(no such file\)\. Reinstall Longview\.$/);
  });

  test('questions keep the order of their arrival, however long their models take to find', async () => {
    const { promise: found, resolve: find } = withResolver<undefined>();
    let calls = 0;
    const { ask, events } = setup({}, async () => {
      if (++calls === 1) await found;
      return MODEL;
    });
    const done: string[] = [];
    const first = ask().then(() => done.push('first'));
    const second = ask().then(() => done.push('second'));
    await new Promise(setImmediate);
    assert.ok(events.some((event) => event.kind === 'queued' && event.ahead === 1));
    find(undefined);
    await Promise.all([first, second]);
    assert.deepEqual(done, ['first', 'second']);
  });

  test('a model that is not there fails its own question, in the queue too', async () => {
    const missing = new LongviewError('modelMissing', 'not there', 'Download it.');
    const { promise: found, resolve: find } = withResolver<undefined>();
    let calls = 0;
    const { ask, context } = setup({}, async () => {
      if (++calls === 2) throw missing;
      await found;
      return MODEL;
    });
    const first = ask();
    await assert.rejects(ask(), missing);
    find(undefined);
    assert.equal((await first).answer, 'ok');
    assert.equal(context.requests.length, 1);
  });

  test('lets go of the packed text, also after a failure', async () => {
    const { ask, context } = setup();
    await ask();
    await new Promise(setImmediate);
    assert.deepEqual(context.released, [7]);

    const broken = setup({
      before: (call) => {
        if (call === 'prefill') throw new LongviewError('engineFailed', 'no', 'Ask again.');
      },
    });
    await assert.rejects(broken.ask(), { code: 'engineFailed' });
    await new Promise(setImmediate);
    assert.deepEqual(broken.context.released, [7]);
  });

  test('a failure of the packing is the failure of the question', async () => {
    const { ask, context } = setup();
    context.failure = new LongviewError('emptyRepository', 'empty', 'Open another.');
    await assert.rejects(ask(), { code: 'emptyRepository' });
  });

  test('refuses a context beyond what the model was trained for', async () => {
    const { ask, context } = setup();
    await assert.rejects(ask({ contextTokens: 201 }), { code: 'contextTooLarge', message: /201.*200/ });
    const extended = setup({}, () => Promise.resolve({ ...MODEL, yarnFactor: 4 }));
    await assert.rejects(extended.ask({ contextTokens: 801 }), {
      code: 'contextTooLarge',
      message: /801.*at most 800 with YaRN/,
    });
    await assert.rejects(ask({ contextTokens: 20 }), { code: 'badRequest', message: /no room for a prompt/ });
    assert.equal(context.requests.length, 0);
  });

  test('stopped with text, the answer so far is the result with its citations', async () => {
    const stop = new AbortController();
    const { ask } = setup({
      answer: 'a long answer',
      before: (call, count) => {
        if (call === 'decode' && count === 3) stop.abort();
      },
    });
    const result = await ask({}, stop.signal);
    assert.equal(result.stopReason, 'cancelled');
    assert.equal(result.answer, 'a lo');
    assert.equal(result.citations.length, 1);
  });

  test('stopped before text, it is cancelled', async () => {
    const stop = new AbortController();
    stop.abort();
    await assert.rejects(setup().ask({}, stop.signal), CancelledError);
  });
});
