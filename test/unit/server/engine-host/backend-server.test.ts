import assert from 'node:assert/strict';
import type { LoadRequest } from '../../../../server/backends/backend';
import type { CudaAvailability } from '../../../../server/backends/cuda/find-device';
import { BackendServer } from '../../../../server/engine-host/backend-server';
import type { HostReply, HostRequest } from '../../../../server/engine-host/messages';
import { createBackendSelector } from '../../../../server/engine-host/select-backend';
import { CancelledError, LongviewError } from '../../../../server/errors';
import { DEVICE, fakeAddon } from '../backends/cuda/fake-addon';
import { FakeBackend } from '../engine/fake-backend';

const LOAD: LoadRequest = {
  modelPath: '/m.gguf',
  modelSha256: 'a',
  cacheDir: '/c',
  device: 'auto',
  attention: 'auto',
  contextTokens: 50,
  cpuThreads: 1,
};
const SAMPLING = { temperature: 0, topP: 1, topK: 0, stop: [] };

/** A request and its reply go through a structured clone, as they do between processes. */
function setup(backend = new FakeBackend(), now?: () => number) {
  const replies: HostReply[] = [];
  const server = new BackendServer(
    { deviceFor: () => 'cpu', select: () => Promise.resolve(backend) },
    (reply) => replies.push(structuredClone(reply)),
    now,
  );
  return { replies, receive: (request: HostRequest) => server.receive(structuredClone(request)) };
}

suite('BackendServer', () => {
  test('runs every call of a backend and sends back what it gave', async () => {
    const { replies, receive } = setup(new FakeBackend({ answer: 'hi' }));
    await receive({ id: 1, method: 'load', argument: LOAD });
    await receive({
      id: 2,
      method: 'openSequence',
      argument: { sampling: SAMPLING, firstUnusedToken: 900 },
    });
    const tokens = Int32Array.from([5, 6]);
    await receive({ id: 3, method: 'prefillChunk', argument: { sequence: 1, tokens, sample: true } });
    await receive({ id: 4, method: 'decodeStep', argument: { sequence: 1, token: 104 } });
    await receive({
      id: 5,
      method: 'rewindSequence',
      argument: { sequence: 1, lengthTokens: 1, sampling: SAMPLING, firstUnusedToken: 900 },
    });
    await receive({ id: 6, method: 'closeSequence', argument: 1 });

    assert.deepEqual(replies[0], { kind: 'progress', id: 1, progress: { stage: 'load', fraction: 1 } });
    assert.equal(replies[1]?.kind, 'result');
    assert.deepEqual(replies.slice(2), [
      { kind: 'result', id: 2, value: 1 },
      { kind: 'result', id: 3, value: { next: 104, deviceMs: 1 } },
      { kind: 'result', id: 4, value: { next: 105, deviceMs: 1 } },
      { kind: 'result', id: 5, value: undefined },
      { kind: 'result', id: 6, value: undefined },
    ]);
  });

  test('tells of a chunk under way at most ten times a second', async () => {
    let nowMs = 0;
    const backend = new FakeBackend({ shares: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] });
    const { replies, receive } = setup(backend, () => (nowMs += 25));
    await receive({ id: 1, method: 'load', argument: LOAD });
    await receive({
      id: 2,
      method: 'openSequence',
      argument: { sampling: SAMPLING, firstUnusedToken: 900 },
    });
    const tokens = Int32Array.from([5, 6]);
    await receive({ id: 3, method: 'prefillChunk', argument: { sequence: 1, tokens, sample: false } });
    assert.deepEqual(
      replies.filter(({ kind }) => kind === 'progress').slice(1),
      // The clock is read once for each share, and once more for one that is told.
      [{ kind: 'progress', id: 3, progress: 0.4 }],
    );
    assert.deepEqual(replies.at(-1), { kind: 'result', id: 3, value: { deviceMs: 1 } });
  });

  test('sends a named failure with its code and action', async () => {
    const failure = new LongviewError('outOfMemory', 'No room.', 'Use less.', { bytes: 7 });
    const { replies, receive } = setup(
      new FakeBackend({
        before: () => {
          throw failure;
        },
      }),
    );
    await receive({ id: 9, method: 'load', argument: LOAD });
    assert.deepEqual(replies, [
      {
        kind: 'error',
        id: 9,
        message: 'No room.',
        data: { code: 'outOfMemory', action: 'Use less.', details: { bytes: 7 } },
      },
    ]);
  });

  test('a chunk that was ended early is cancelled, not failed', async () => {
    const backend = new FakeBackend();
    backend.prefillChunk = () => Promise.reject(new CancelledError());
    let interrupted = 0;
    const interrupt = (): Promise<void> => {
      interrupted++;
      return Promise.resolve();
    };
    const { replies, receive } = setup(Object.assign(backend, { interrupt }));
    await receive({ id: 1, method: 'load', argument: LOAD });
    await receive({ id: 2, method: 'interrupt', argument: undefined });
    const tokens = Int32Array.of(1);
    await receive({ id: 3, method: 'prefillChunk', argument: { sequence: 1, tokens, sample: true } });
    assert.equal(interrupted, 1);
    assert.deepEqual(replies.slice(2), [
      { kind: 'result', id: 2, value: undefined },
      { kind: 'cancelled', id: 3 },
    ]);
  });

  test('names the call when anything else goes wrong', async () => {
    const { replies, receive } = setup();
    await receive({ id: 1, method: 'closeSequence', argument: 1 });
    const [reply] = replies;
    assert.ok(reply?.kind === 'error');
    assert.equal(reply.data.code, 'engineFailed');
    assert.match(reply.message, /closeSequence: no model is loaded/);
  });
});

suite('createBackendSelector', () => {
  const cpu = new FakeBackend();
  const gpu = new FakeBackend();
  const selector = (found: CudaAvailability) =>
    createBackendSelector({
      findCuda: () => found,
      createCuda: () => gpu,
      openOnnx: () => Promise.resolve(cpu),
    });
  const usable: CudaAvailability = { kind: 'usable', addon: fakeAddon(), device: DEVICE };
  const none: CudaAvailability = { kind: 'none', reason: 'no NVIDIA driver is installed' };
  const unbuilt: CudaAvailability = { kind: 'build', reason: 'the CUDA engine is not built here' };

  test('takes the GPU where there is one, unless the CPU is asked for', async () => {
    const backends = selector(usable);
    assert.equal(await backends.select(LOAD), gpu);
    assert.equal(await backends.select({ ...LOAD, device: 'cuda' }), gpu);
    assert.equal(await backends.select({ ...LOAD, device: 'cpu' }), cpu);
  });

  test('says before any load which device a choice comes to', () => {
    assert.equal(selector(usable).deviceFor('auto'), 'cuda');
    for (const found of [none, unbuilt]) assert.equal(selector(found).deviceFor('auto'), 'cpu');
    assert.equal(selector(usable).deviceFor('cpu'), 'cpu');
    assert.equal(selector(none).deviceFor('cuda'), 'cuda');
  });

  test('takes the GPU that is named, once for all of its loads', async () => {
    const asked: (number | undefined)[] = [];
    const made: number[] = [];
    const backends = createBackendSelector({
      findCuda: (index = 0) => {
        asked.push(index);
        if (index > 1) return { kind: 'none', reason: `there is no GPU ${index}` };
        return { kind: 'usable', addon: fakeAddon(), device: { ...DEVICE, index } };
      },
      createCuda: (_addon, { index }) => {
        made.push(index);
        return gpu;
      },
      openOnnx: () => Promise.resolve(cpu),
    });
    for (const device of ['cuda', 'auto'] as const) await backends.select({ ...LOAD, device, gpu: 1 });
    assert.deepEqual([asked, made], [[1], [1]]);
    await assert.rejects(Promise.resolve(backends.select({ ...LOAD, gpu: 2 })), {
      code: 'deviceUnavailable',
      message: /no GPU 2/,
    });
    assert.equal(await backends.select({ ...LOAD, device: 'cpu', gpu: 2 }), cpu);
    assert.equal(
      await selector(unbuilt)
        .select({ ...LOAD, gpu: 0 })
        .then((backend) => backend === gpu),
      false,
    );
  });

  test('takes the CPU where there is no GPU', async () => {
    assert.equal(await selector(none).select(LOAD), cpu);
  });

  test('names the command where only the addon is missing, with every load', async () => {
    const backends = selector(unbuilt);
    const backend = await backends.select(LOAD);
    assert.equal(await backends.select(LOAD), backend);
    const { notices } = await backend.load(LOAD, () => undefined);
    assert.match(notices.join(), /npm run build:cuda/);
    assert.equal(await backends.select({ ...LOAD, device: 'cpu' }), cpu);
  });

  test('leaves sample attention to the GPU where there is one', async () => {
    assert.equal(await selector(usable).select({ ...LOAD, attention: 'sample' }), gpu);
  });

  test('refuses CUDA and sample attention with the reason, and never falls back', async () => {
    await assert.rejects(selector(none).select({ ...LOAD, device: 'cuda' }), {
      code: 'deviceUnavailable',
      message: 'The device "cuda" is not available: no NVIDIA driver is installed.',
    });
    await assert.rejects(selector(unbuilt).select({ ...LOAD, device: 'cuda' }), (error: unknown) => {
      assert.ok(error instanceof LongviewError);
      assert.match(error.action, /npm run build:cuda/);
      return true;
    });
    await assert.rejects(selector(none).select({ ...LOAD, attention: 'sample' }), {
      code: 'attentionUnavailable',
      message: /CUDA engine only: no NVIDIA driver/,
    });
  });
});
