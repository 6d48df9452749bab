import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Ask, DidChangeEngineStatus, type EngineStatus, GetEngineStatus, ListModels } from '../../protocol';
import { RequestCancelledError, ServerError, type ServerState } from '../../src/client/server-connection';
import type { StdioConnection } from '../../src/client/stdio-connection';
import { ensureModel } from './support/models';
import { FAST_MODEL } from './support/places';
import {
  ask,
  childrenOf,
  fillerSource,
  sendWorkspace,
  startServer,
  type TempRepository,
  tempRepository,
} from './support/server';

const SECRET = 'The launch word of the station is "marigold-41".';

suite('a real server with a real model', () => {
  let repo: TempRepository;
  let server: StdioConnection;
  let modelPath: string;

  suiteSetup(async () => {
    modelPath = await ensureModel(FAST_MODEL);
    repo = await tempRepository({
      'README.md': `# Station\n\n${SECRET}\n`,
      'src/engine.ts': fillerSource('engine', 12),
      'logo.png': Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 1]),
    });
  });
  suiteTeardown(() => repo.dispose());

  setup(async () => {
    server = await startServer();
    await sendWorkspace(server, repo.path);
  });
  teardown(() => server.dispose());

  test('answers, streams in order and records what it cost', async () => {
    const statuses: EngineStatus[] = [];
    server.onNotification(DidChangeEngineStatus, (status) => statuses.push(status));
    const { result, events } = ask(server, 'What is the launch word of the station?');
    const { answer, inclusion, record, stopReason } = await result;

    assert.ok(answer.trim().length > 0);
    assert.ok(['endOfTurn', 'maxTokens'].includes(stopReason));
    assert.equal(inclusion.totalFiles, 3);
    assert.deepEqual(inclusion.included.map((file) => file.path).sort(), ['README.md', 'src/engine.ts']);
    assert.deepEqual(inclusion.excludedByReason, { binary: 1 });

    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, index) => index),
      'no gap and no disorder',
    );
    const text = events.map((event) => (event.kind === 'token' ? event.text : '')).join('');
    assert.equal(text, answer);
    const prefill = events.filter((event) => event.kind === 'prefill');
    assert.ok(prefill.every(({ processed, total }) => processed <= total && total === record.promptTokens));
    assert.equal(prefill.at(-1)?.processed, record.promptTokens);
    assert.equal(events.at(-1)?.kind, 'done');

    assert.equal(record.promptTokens, inclusion.promptTokens);
    assert.equal(record.backend, 'onnx');
    assert.equal(record.attention, 'dense');
    const { queue, load, context, prefill: prefillMs, firstToken } = record.stagesMs;
    assert.ok(Math.abs(queue + load + context + prefillMs + firstToken - record.ttftMs) < 1);
    const states = new Set(statuses.map(({ state }) => state));
    for (const state of ['starting', 'busy', 'ready'] as const) assert.ok(states.has(state), state);
    assert.equal((await server.request(GetEngineStatus, {})).model, FAST_MODEL);
  });

  test('the same question again reuses the whole prompt and gives the same answer', async () => {
    const first = await ask(server, 'What is the launch word of the station?').result;
    const again = await ask(server, 'What is the launch word of the station?').result;
    assert.equal(first.record.cachedTokens, 0);
    assert.equal(again.record.cachedTokens, again.record.promptTokens - 1);
    assert.equal(again.answer, first.answer, 'a prefix hit changes nothing');
  });

  test('two questions at once are answered one after the other, and the second sees its place', async () => {
    const first = ask(server, 'What is the launch word?');
    const second = ask(server, 'Which values are exported?');
    const done: string[] = [];
    await Promise.all([
      first.result.then(() => done.push('first')),
      second.result.then(() => done.push('second')),
    ]);
    assert.deepEqual(done, ['first', 'second']);
    assert.ok(second.events.some((event) => event.kind === 'queued' && event.ahead === 1));
    const { stagesMs } = (await second.result).record;
    assert.ok(stagesMs.queue > 0);
  });

  test('stop in prefill is acknowledged, and the work done serves the next question', async () => {
    const big = await tempRepository({ 'big.ts': fillerSource('big', 60) });
    try {
      await sendWorkspace(server, big.path);
      const options = { contextTokens: 4096 };
      const running = ask(server, 'What is in big.ts?', options);
      await running.first('prefill');
      const stoppedAt = performance.now();
      running.stop();
      await assert.rejects(running.result, RequestCancelledError);
      console.log(`      stop acknowledged after ${Math.round(performance.now() - stoppedAt)} ms`);
      assert.ok(!running.events.some((event) => event.kind === 'token'));

      const { record } = await ask(server, 'What is in big.ts?', options).result;
      assert.ok(record.cachedTokens > 0, 'the chunks before the stop were kept');
    } finally {
      await big.dispose();
    }
  });

  test('stop in the answer keeps the text so far', async () => {
    const running = ask(server, 'Tell a long story about the station.', { maxAnswerTokens: 400 });
    await running.first('token');
    running.stop();
    const { answer, stopReason, record } = await running.result;
    assert.equal(stopReason, 'cancelled');
    assert.ok(answer.length > 0);
    assert.ok(record.answerTokens < 400);
  });

  test('the engine killed in mid-answer fails the question, and the next one is answered', async () => {
    const statuses: EngineStatus[] = [];
    server.onNotification(DidChangeEngineStatus, (status) => statuses.push(status));
    const running = ask(server, 'Tell a long story about the station.', { maxAnswerTokens: 400 });
    await running.first('token');
    const [host] = await childrenOf(server.serverPid!, 'engine-host');
    assert.ok(host, 'the engine host runs as a child of the server');
    process.kill(host, 'SIGKILL');
    await assert.rejects(running.result, (error) => {
      assert.ok(error instanceof ServerError);
      assert.equal(error.data.code, 'engineCrashed');
      assert.match(error.message, /SIGKILL/);
      return true;
    });
    const { answer, record } = await ask(server, 'What is the launch word?').result;
    assert.ok(answer.length > 0);
    assert.equal(record.cachedTokens, 0);
    assert.ok(statuses.some(({ state, message }) => state === 'restarting' && message?.includes('SIGKILL')));
  });

  test('the server killed: the client sees it, in the question and in the state', async () => {
    const states: ServerState[] = [];
    server.onState((state) => states.push(state));
    const running = ask(server, 'Tell a long story about the station.', { maxAnswerTokens: 400 });
    await running.first('packed');
    const hosts = await childrenOf(server.serverPid!, 'engine-host');
    process.kill(server.serverPid!, 'SIGKILL');
    await assert.rejects(running.result, /The Longview server ended \(signal SIGKILL\)/);
    assert.equal(states[0]?.kind, 'stopped');
    await assert.rejects(server.request(ListModels, { device: 'auto' }), /SIGKILL/);
    for (const host of hosts) await untilGone(host);
  });

  test('what is asked for and not there is refused with the reason', async () => {
    await refused(ask(server, 'x?', { attention: 'sample' }).result, 'attentionUnavailable', /CUDA/);
    await refused(
      ask(server, 'x?', { device: 'cuda' }).result,
      'deviceUnavailable',
      /"cuda" is not available: .*(NVIDIA driver|GPU)/,
    );
    await refused(ask(server, 'x?', { contextTokens: 9000 }).result, 'contextTooLarge', /9000.*8192/);
    await refused(ask(server, 'x?', { model: 'no-such-model' }).result, 'modelUnknown', /no-such-model/);
    await refused(ask(server, 'x?', { maxAnswerTokens: 0 }).result, 'badRequest', /maxAnswerTokens/);
    await refused(server.request(Ask, { question: 'x?' } as never), 'badRequest', /history.*attachments/);
    const { answer } = await ask(server, 'What is the launch word?').result;
    assert.ok(answer.length > 0, 'and the server still answers');
  });

  test('no folder, an empty folder and a question that does not fit are named', async () => {
    const bare = await startServer();
    const empty = await tempRepository({ 'logo.png': Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 1]) });
    try {
      await refused(ask(bare, 'x?').result, 'noWorkspace', /No folder/);
      await sendWorkspace(bare, empty.path);
      await refused(ask(bare, 'x?').result, 'emptyRepository', /no file that can be read as text/);
      await sendWorkspace(bare, repo.path);
      const long = 'Why does this station need so many words? '.repeat(200);
      await refused(ask(bare, long).result, 'promptTooLong', /tokens/);
    } finally {
      await bare.dispose();
      await empty.dispose();
    }
  });

  test('a missing, a truncated and a damaged model are named', async () => {
    const cacheDir = await mkdtemp(path.join(tmpdir(), 'longview-cache-'));
    const bare = await startServer(cacheDir);
    const failureOf = async (options: { model?: string } = {}): Promise<ServerError> => {
      const failure = await ask(bare, 'x?', options).result.catch((reason: unknown) => reason);
      assert.ok(failure instanceof ServerError, String(failure));
      return failure;
    };
    try {
      await sendWorkspace(bare, repo.path);
      const missing = await failureOf();
      assert.equal(missing.data.code, 'modelMissing');
      assert.equal(missing.data.details?.['id'], FAST_MODEL);

      const place = path.join(cacheDir, 'models', FAST_MODEL, 'model.gguf');
      await mkdir(path.dirname(place), { recursive: true });
      await copyFile(modelPath, place);
      const file = await open(place, 'r+');
      await file.write(Buffer.from('damage'), 0, 6, 50_000_000);
      await file.close();
      assert.equal((await failureOf()).data.code, 'modelCorrupt');

      const short = path.join(cacheDir, 'short.gguf');
      await copyFile(modelPath, short);
      const cut = await open(short, 'r+');
      await cut.truncate(1_000_000);
      await cut.close();
      assert.equal((await failureOf({ model: short })).data.code, 'modelCorrupt');
    } finally {
      await bare.dispose();
      await rm(cacheDir, { recursive: true });
    }
  });
});

/** The question fails with that code, in words that say what is wrong, and with a next step. */
function refused(question: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  return assert.rejects(question, (error) => {
    assert.ok(error instanceof ServerError, String(error));
    assert.equal(error.data.code, code);
    assert.match(error.message, message);
    assert.ok(error.data.action.length > 0);
    return true;
  });
}

/** Waits until a process has ended by itself; the test's own limit is the limit. */
async function untilGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
