import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AskOptions, ChatExchange, EngineStatus } from '../../protocol';
import { ChatSession } from '../../src/chat/chat-session';
import { ConversationStore } from '../../src/chat/conversation-store';
import type { StdioConnection } from '../../src/client/stdio-connection';
import { ServerSession } from '../../src/session/server-session';
import { ensureModel } from './support/models';
import { FAST_MODEL } from './support/places';
import {
  ASK_OPTIONS,
  ask,
  childrenOf,
  fillerSource,
  sendWorkspace,
  startServer,
  type TempRepository,
  tempRepository,
} from './support/server';

const OPTIONS: AskOptions = { ...ASK_OPTIONS, contextTokens: 2048, maxAnswerTokens: 8 };

const STAND_IN = path.resolve('test/integration/support/stand-in-gpu.cjs');

/** How the stand-in of the GPU fails next. */
interface GpuFailure {
  call: 'load' | 'prefill' | 'decode';
  code?: 'cudaFatal' | 'outOfMemory' | 'cuda';
  message?: string;
  fittingTokens?: number;
  /** The process ends as native code ends it, and says this. */
  abort?: string;
}

/** The whole product but for the editor and the GPU, which takes its time for every layer. */
suite('a GPU at work', () => {
  test('the progress of a prompt that is one chunk moves with the layers, and never back', async () => {
    await ensureModel(FAST_MODEL);
    const repo = await tempRepository({ 'src/engine.ts': fillerSource('engine', 8) });
    process.env['NODE_OPTIONS'] = `--require ${STAND_IN}`;
    process.env['LONGVIEW_GPU_LAYER_MS'] = '30';
    const server = await startServer();
    try {
      await sendWorkspace(server, repo.path);
      const { result, events } = ask(server, 'What is first?', OPTIONS);
      const { promptTokens } = (await result).record;
      const told = events.flatMap((event) => (event.kind === 'prefill' ? [event] : []));
      const processed = told.map((event) => event.processed);
      assert.ok(processed.length >= 4, `${processed.join()} of ${promptTokens} tokens`);
      assert.deepEqual(
        processed,
        [...new Set(processed)].sort((a, b) => a - b),
      );
      assert.ok(processed[0]! > 0 && processed[0]! < promptTokens / 2);
      assert.equal(processed.at(-1), promptTokens);
      assert.ok(told.every(({ etaMs }) => Number.isFinite(etaMs)));
    } finally {
      delete process.env['NODE_OPTIONS'];
      delete process.env['LONGVIEW_GPU_LAYER_MS'];
      await server.dispose();
      await repo.dispose();
    }
  });
});

/** The whole product but for the editor and the GPU: what a person is told, offered and left with when the GPU fails. */
suite('a GPU that fails', () => {
  let repo: TempRepository;
  let folder: string;
  let server: StdioConnection;
  let options: AskOptions;
  let statuses: EngineStatus[];
  let chat: ChatSession;
  let stored: unknown;

  suiteSetup(async () => {
    await ensureModel(FAST_MODEL);
    repo = await tempRepository({ 'src/engine.ts': fillerSource('engine', 8) });
  });
  suiteTeardown(() => repo.dispose());

  setup(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'longview-gpu-'));
    process.env['NODE_OPTIONS'] = `--require ${STAND_IN}`;
    process.env['LONGVIEW_GPU_FAILS'] = path.join(folder, 'fails');
    server = await startServer();
    delete process.env['NODE_OPTIONS'];
    await sendWorkspace(server, repo.path);
    options = OPTIONS;
    statuses = [];
    stored = undefined;
    const files = { files: 1, flush: none, resend: none, dispose: () => undefined };
    const session = new ServerSession(
      () => Promise.resolve({ connection: server, files }),
      () => options,
      () => undefined,
    );
    session.engine.on((status) => statuses.push(status));
    const memory = {
      get: () => stored,
      update: (_key: string, value: unknown) => {
        stored = structuredClone(value);
        return Promise.resolve();
      },
    };
    const warn = (message: string) => assert.fail(message);
    chat = new ChatSession(session, new ConversationStore(memory, warn), warn);
  });
  teardown(async () => {
    chat.dispose();
    await server.dispose();
    delete process.env['LONGVIEW_GPU_FAILS'];
    await rm(folder, { recursive: true, force: true });
  });

  const none = () => Promise.resolve();
  const failNext = (failure: GpuFailure) => writeFile(path.join(folder, 'fails'), JSON.stringify(failure));
  const hostPid = async () => (await childrenOf(server.serverPid!, 'engine-host'))[0];

  async function asked(question: string): Promise<ChatExchange> {
    await chat.ask(question);
    return chat.current.exchanges.at(-1)!;
  }
  async function answered(question: string): Promise<ChatExchange> {
    const exchange = await asked(question);
    assert.equal(exchange.phase, 'done', JSON.stringify(exchange.failure));
    assert.ok(exchange.answer.length > 0);
    return exchange;
  }
  /** The conversation as it was before the failure is on the screen and in the storage. */
  function assertKept(before: ChatExchange): void {
    assert.deepEqual(chat.current.exchanges[0], before);
    const { exchanges } = stored as { exchanges: ChatExchange[] };
    assert.deepEqual(exchanges[0], before);
  }

  test('a fault in a kernel: said in words, restarted, the CPU offered, the conversation kept', async () => {
    const before = await answered('What is first?');
    assert.equal(before.record?.device, 'NVIDIA Stand-in');
    const pid = await hostPid();
    await failNext({
      call: 'prefill',
      code: 'cudaFatal',
      message: 'CUDA error 700: an illegal memory access was encountered',
    });
    const { id, phase, failure } = await asked('What comes then?');
    assert.equal(phase, 'failed');
    assert.equal(failure?.code, 'engineCrashed');
    assert.match(failure.message, /^The GPU failed: .*illegal memory access/);
    assert.match(failure.action, /restarts by itself.*"cpu"/);
    assert.deepEqual(failure.buttons, ['retry', 'useCpu', 'showLog']);
    assertKept(before);
    assert.ok(
      statuses.some(({ state, message }) => state === 'restarting' && /illegal memory/.test(message ?? '')),
    );

    await chat.retry(id);
    assert.equal(chat.current.exchanges.at(-1)?.phase, 'done');
    assert.notEqual(await hostPid(), pid, 'another process answered');
    // What the button does: the setting is changed, and the next question finds it.
    options = { ...OPTIONS, device: 'cpu', contextTokens: 1024 };
    const onCpu = await answered('And on the CPU?');
    assert.equal(onCpu.record?.backend, 'onnx');
    assert.equal(chat.current.exchanges.length, 3);
    assertKept(before);
  });

  test('an error that leaves the GPU usable costs one question, and no process', async () => {
    const before = await answered('What is first?');
    const pid = await hostPid();
    await failNext({ call: 'prefill', code: 'cuda', message: 'a kernel was refused' });
    const { failure } = await asked('What comes then?');
    assert.equal(failure?.code, 'engineFailed');
    assert.match(failure.message, /^A kernel was refused/);
    assert.deepEqual(failure.buttons, ['retry', 'useCpu', 'showLog']);
    await answered('And now?');
    assert.equal(await hostPid(), pid);
    assertKept(before);
  });

  test('a process that is killed in the middle of an answer', async () => {
    const before = await answered('What is first?');
    options = { ...OPTIONS, maxAnswerTokens: 400 };
    const streaming = new Promise<void>((resolve) => {
      chat.messages.on((message) => {
        if (message.kind === 'text') resolve();
      });
    });
    const asking = asked('What comes then?');
    await streaming;
    process.kill((await hostPid())!, 'SIGKILL');
    const { failure, answer } = await asking;
    assert.equal(failure?.code, 'engineCrashed');
    assert.match(failure.message, /killed from outside \(SIGKILL\)/);
    assert.ok(answer.length > 0, 'what had arrived stays');
    assertKept(before);
    options = OPTIONS;
    await answered('And now?');
  });

  test('a GPU without memory: the context that fits is offered, the process lives, the next question is answered', async () => {
    await failNext({
      call: 'load',
      code: 'outOfMemory',
      message: 'weights 3.1 GB + KV 3.8 GB do not fit in 4.0 GB',
      fittingTokens: 1024,
    });
    const { failure } = await asked('What is first?');
    assert.equal(failure?.code, 'outOfMemory');
    assert.match(failure.message, /do not fit/);
    assert.match(failure.action, /at most 1024 tokens/);
    assert.deepEqual(failure.buttons, ['useSmallerContext', 'useCpu', 'openSettings']);
    assert.equal(failure.contextTokens, 1024);
    const pid = await hostPid();
    options = { ...OPTIONS, contextTokens: failure.contextTokens };
    const { record } = await answered('And with less?');
    assert.equal(record?.contextTokens, 1024);
    assert.equal(await hostPid(), pid);
  });

  test('a process that runs out of memory: said so, restarted, the conversation kept', async () => {
    const before = await answered('What is first?');
    await failNext({ call: 'decode', abort: "terminate called after 'std::bad_alloc'" });
    const { failure } = await asked('What comes then?');
    assert.equal(failure?.code, 'outOfMemory');
    assert.match(failure.message, /ran out of memory \(signal SIGABRT\)/);
    assert.match(failure.action, /smaller context|smaller model/);
    assertKept(before);
    await answered('And now?');
  });
});
