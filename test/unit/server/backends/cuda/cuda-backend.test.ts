import assert from 'node:assert/strict';
import path from 'node:path';
import type { LoadProgress, LoadRequest } from '../../../../../server/backends/backend';
import { CudaBackend } from '../../../../../server/backends/cuda/cuda-backend';
import { selectionOf } from '../../../../../server/engine/attention-policy';
import { CancelledError, LongviewError } from '../../../../../server/errors';
import { DEVICE, FakeEngine, fakeAddon } from './fake-addon';

const MODEL = path.join(process.cwd(), 'test/fixtures/engine/qwen2-tied-mixed.gguf');
const REQUEST: LoadRequest = {
  modelPath: MODEL,
  modelSha256: 'abc',
  cacheDir: '/cache',
  device: 'auto',
  attention: 'auto',
  contextTokens: 1000,
  cpuThreads: 1,
};
const GREEDY = { temperature: 0, topP: 1, topK: 0, stop: [] };
const OPEN = { sampling: GREEDY, firstUnusedToken: 90 };

suite('CUDA backend', () => {
  let engine: FakeEngine;
  let backend: CudaBackend;
  let ended: string[];

  setup(() => {
    engine = new FakeEngine();
    ended = [];
    backend = new CudaBackend({
      addon: fakeAddon({}, engine),
      device: DEVICE,
      freshSeed: () => 42,
      endProcess: (reason) => ended.push(reason),
    });
  });

  const load = (changes: Partial<LoadRequest> = {}) =>
    backend.load({ ...REQUEST, ...changes }, () => undefined);
  const rejectsWith = (run: Promise<unknown>, code: string, message: RegExp, action: RegExp) =>
    assert.rejects(run, (error: unknown) => {
      assert.ok(error instanceof LongviewError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.match(error.action, action);
      return true;
    });

  test('hands the file to the addon tensor by tensor, and tells what it loaded', async () => {
    const progress: LoadProgress[] = [];
    const model = await backend.load(REQUEST, (step) => progress.push(step));
    assert.deepEqual(
      { ...model },
      {
        backend: 'cuda',
        device: 'NVIDIA Fake',
        spec: { name: 'qwen2-tied-mixed', layerCount: 2, headCount: 2 },
        contextTokens: 1000,
        vocabSize: 96,
        maxSequences: 8,
        prefillChunkTokens: 8192,
        backgroundChunkTokens: 8192,
        kvPoolTokens: 8192,
        kvBlockTokens: 640,
        prefillPrecision: 'bf16',
        notices: [],
      },
    );
    assert.deepEqual(
      progress.map(({ fraction }) => fraction),
      [0, 0.5, 1],
    );
    const { tensors, spec, contextTokens } = engine.loaded ?? assert.fail('nothing was loaded');
    assert.deepEqual([spec.architecture, spec.qkNorm, contextTokens], ['qwen2', false, 1000]);
    const named = (name: string) => {
      const { format, rows, columns } = tensors.find((tensor) => tensor.name === name) ?? assert.fail(name);
      return { format, rows, columns };
    };
    assert.deepEqual(named('token_embd.weight'), { format: 8, rows: 96, columns: 128 });
    assert.deepEqual(named('blk.1.ffn_gate.weight'), { format: 3, rows: 192, columns: 128 });
    assert.deepEqual(named('blk.0.attn_q.bias'), { format: 0, rows: 1, columns: 128 });
  });

  test('tells of a chunk layer by layer, and never of more than is done', async () => {
    await load();
    engine.layersTold = [1, 2, 3, 4];
    const sequence = await backend.openSequence(OPEN);
    const shares: number[] = [];
    await backend.prefillChunk({ sequence, tokens: Int32Array.of(5), sample: false }, (share) =>
      shares.push(share),
    );
    assert.equal(engine.loaded?.spec.layerCount, 2);
    assert.deepEqual(shares, [0, 0, 0.5, 1], 'the last two layers are only begun');
  });

  test('multiplies in fp8 where that is asked for, and says so', async () => {
    assert.deepEqual((await load()).notices, []);
    assert.equal(engine.loaded?.prefillPrecision, 'bf16');
    const { notices, prefillPrecision } = await load({ prefillPrecision: 'fp8' });
    assert.deepEqual([engine.loaded.prefillPrecision, prefillPrecision], ['fp8', 'fp8']);
    assert.match(notices.join(' '), /fp8.*answers may differ/);
  });

  test('refuses fp8 on a GPU that does not multiply it, before it loads anything', async () => {
    const device = { ...DEVICE, computeCapability: '8.6' };
    backend = new CudaBackend({
      addon: fakeAddon({}, engine),
      device,
      freshSeed: () => 42,
      endProcess: (reason) => ended.push(reason),
    });
    const asked = load({ prefillPrecision: 'fp8' });
    await rejectsWith(asked, 'deviceUnavailable', /NVIDIA Fake does not multiply fp8/, /precision.* bf16/);
    assert.equal(engine.loaded, undefined);
    assert.equal((await load()).prefillPrecision, 'bf16');
  });

  test('runs a sequence, with a fresh seed where none is given', async () => {
    await load();
    const sequence = await backend.openSequence(OPEN);
    const tokens = Int32Array.of(5, 6);
    assert.deepEqual(await backend.prefillChunk({ sequence, tokens, sample: false }), { deviceMs: 2 });
    assert.deepEqual(await backend.prefillChunk({ sequence, tokens, sample: true }), {
      next: 7,
      deviceMs: 2,
    });
    assert.deepEqual(await backend.decodeStep({ sequence, token: 7 }), { next: 8, deviceMs: 1 });
    await backend.decodeStep({ sequence, token: 8, continues: true });
    const sampling = { ...GREEDY, temperature: 0.5, seed: 3 };
    await backend.rewindSequence({ sequence, lengthTokens: 2, sampling, firstUnusedToken: 80 });
    await backend.closeSequence(sequence);
    assert.deepEqual(engine.calls.slice(2), [
      'openSequence',
      'prefill 1 [5 6]',
      'prefill 1 [5 6]',
      'decode 1 7',
      'decode 1 8 and on',
      'rewind 1 2',
      'close 1',
    ]);
    assert.deepEqual(engine.samplings, [
      { temperature: 0, topP: 1, topK: 0, seed: 42, candidates: 90 },
      { temperature: 0.5, topP: 1, topK: 0, seed: 3, candidates: 80 },
    ]);
  });

  test('reaches beyond the trained context where YaRN is allowed, and says so', async () => {
    const { notices, contextTokens } = await load({ contextTokens: 4096, yarnFactor: 4 });
    assert.equal(contextTokens, 4096);
    assert.match(notices.join(), /YaRN factor 4/);
    assert.equal(engine.loaded?.spec.yarn?.factor, 4);
    await rejectsWith(load({ contextTokens: 4096 }), 'contextTooLarge', /trained for 1024/, /at most 1024/);
  });

  test('says when the weights stay quantised for want of memory', async () => {
    engine.plan = { ...engine.plan, weights: 'stored' };
    const { notices } = await load();
    assert.match(notices.join(), /GPU memory is short.*weights 0\.1 GB/);
    const inFp8 = await load({ prefillPrecision: 'fp8' });
    assert.doesNotMatch(inFp8.notices.join(), /short/, 'copies in fp8 are as fast beside quantised weights');
  });

  test('offers the context that fits when memory is short', async () => {
    const failure = { code: 'outOfMemory', message: 'weights 9 GB do not fit', fittingTokens: 640 };
    engine.load = () => Promise.reject(Object.assign(new Error(failure.message), failure));
    await rejectsWith(load(), 'outOfMemory', /^Weights 9 GB do not fit\.$/, /at most 640 tokens/);
    await assert.rejects(load(), {
      details: { device: 'NVIDIA Fake', model: 'qwen2-tied-mixed', fittingTokens: 640 },
    });
  });

  test('translates what the addon throws', async () => {
    await load();
    const sequence = await backend.openSequence(OPEN);
    const decode = (code: string, message = 'it broke') => {
      engine.failure = { code, message };
      return backend.decodeStep({ sequence, token: 1 });
    };
    await rejectsWith(decode('contextTooLarge'), 'contextTooLarge', /^It broke\.$/, /fewer files/);
    await rejectsWith(decode('badNumbers'), 'engineFailed', /It broke/, /Download the model again/);
    await rejectsWith(decode('badModel'), 'modelCorrupt', /it broke/, /Download/);
    await rejectsWith(decode('cuda'), 'engineFailed', /It broke/, /"cpu"/);
    await assert.rejects(decode('cancelled'), CancelledError);
    assert.deepEqual(ended, []);
  });

  test('ends the process after a fault on the GPU', async () => {
    await load();
    const sequence = await backend.openSequence(OPEN);
    engine.failure = { code: 'cudaFatal', message: 'an illegal memory access' };
    await assert.rejects(backend.decodeStep({ sequence, token: 1 }));
    assert.match(ended.join(), /The GPU failed: .*illegal memory access/);
  });

  test('hands a selection on, and plans room for it and longer chunks for long contexts', async () => {
    const { prefillChunkTokens } = await load({
      attention: 'sample',
      contextTokens: 100_000,
      yarnFactor: 100,
    });
    assert.equal(prefillChunkTokens, 16_384);
    assert.equal(engine.loaded?.chunkTokens, 16_384);
    const sequence = await backend.openSequence(OPEN);
    const sparse = { selection: selectionOf('fast', undefined), denseFromToken: 128 };
    const { blocks } = await backend.prefillChunk({
      sequence,
      tokens: new Int32Array(256),
      sample: false,
      sparse,
    });
    assert.deepEqual(engine.sparse, sparse);
    assert.deepEqual(blocks, { kept: 3, visible: 6 });
    const models = [undefined, { name: 'Qwen2.5 Coder 1.5B Instruct', layerCount: 28, headCount: 12 }];
    const selections = models.flatMap((model) =>
      (['balanced', 'fast'] as const).map((quality) => selectionOf(quality, model)),
    );
    const finest = Math.min(...selections.map(({ pooledKeys }) => pooledKeys));
    assert.equal(engine.loaded.pooledKeys, finest, 'the averages that the policy needs');
  });

  test('refuses calls without a model', async () => {
    await rejectsWith(backend.openSequence(OPEN), 'engineFailed', /No model/, /Load a model/);
  });

  test('forks a sequence, and copies KV out and in', async () => {
    await load();
    const sequence = await backend.openSequence(OPEN);
    const fork = await backend.forkSequence({ ...OPEN, sequence, lengthTokens: 7 });
    assert.notEqual(fork, sequence);
    const kv = await backend.exportKv({ sequence, startToken: 640, tokens: 64 });
    await backend.importKv({ sequence: fork, tokens: 64, kv });
    assert.deepEqual(engine.calls.slice(-3), ['fork 1 7', 'export 1 640 64', 'import 2 64 [128 64]']);
    await backend.closeSequence(fork);
  });

  test('refuses a ninth sequence until one is closed', async () => {
    await load();
    const opened = [];
    for (let i = 0; i < 8; i++) opened.push(await backend.openSequence(OPEN));
    await rejectsWith(backend.openSequence(OPEN), 'engineFailed', /8 sequences/, /Close/);
    await rejectsWith(
      backend.forkSequence({ ...OPEN, sequence: opened[0] ?? 0, lengthTokens: 0 }),
      'engineFailed',
      /8 sequences/,
      /Close/,
    );
    await backend.closeSequence(opened[0] ?? 0);
    await backend.openSequence(OPEN);
  });
});
