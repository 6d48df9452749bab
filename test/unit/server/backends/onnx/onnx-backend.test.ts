import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { SamplingOptions } from '../../../../../protocol';
import type { LoadProgress, LoadRequest } from '../../../../../server/backends/backend';
import { OnnxBackend } from '../../../../../server/backends/onnx/onnx-backend';
import { loadOnnxRuntime } from '../../../../../server/backends/onnx/onnx-runtime';
import { LongviewError } from '../../../../../server/errors';
import { openGguf } from '../../../../../server/models/gguf/open-gguf';
import { goldenOf, makeTempDir, pathOf } from './tiny-models';

const MODEL = 'qwen2-tied-f32';
const CONTEXT = 64;
const GREEDY: SamplingOptions = { temperature: 0, topP: 1, topK: 0, stop: [] };
const HOT: SamplingOptions = { temperature: 20, topP: 1, topK: 0, stop: [], seed: 11 };

const ignoreProgress = () => undefined;
const isError = (code: string, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof LongviewError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, pattern);
  assert.match(error.action, /^[A-Z].*\.$/);
  return true;
};

suite('onnx backend', () => {
  const { tokens, logits, vocabSize } = goldenOf(MODEL);
  let cacheDir: string;
  let backend: OnnxBackend;

  suiteSetup(() => {
    cacheDir = makeTempDir();
  });
  suiteTeardown(() => fs.rmSync(cacheDir, { recursive: true, force: true }));
  setup(() => {
    backend = new OnnxBackend({ loadRuntime: loadOnnxRuntime, freshSeed: () => 1 });
  });
  teardown(() => backend.dispose());

  const request = (overrides: Partial<LoadRequest> = {}): LoadRequest => ({
    modelPath: pathOf(MODEL),
    modelSha256: MODEL,
    cacheDir,
    device: 'auto',
    attention: 'auto',
    contextTokens: CONTEXT,
    cpuThreads: 1,
    matmulAccuracy: 0,
    ...overrides,
  });
  const load = (overrides?: Partial<LoadRequest>) => backend.load(request(overrides), ignoreProgress);
  const open = (sampling = GREEDY) => backend.openSequence({ sampling, firstUnusedToken: vocabSize });

  /** The greedy choice of the golden after the first `count` tokens. */
  function goldenNext(count: number): number {
    const row = logits.subarray((count - 1) * vocabSize, count * vocabSize);
    return row.indexOf(row.reduce((most, value) => Math.max(most, value), -Infinity));
  }

  test('tells what it loaded and how far it is', async () => {
    const progress: LoadProgress[] = [];
    const fresh = path.join(cacheDir, 'fresh');
    const model = await backend.load(request({ cacheDir: fresh }), (p) => progress.push(p));
    assert.deepEqual(model, {
      backend: 'onnx',
      device: 'CPU (1 thread)',
      contextTokens: CONTEXT,
      vocabSize,
      maxSequences: 4,
      prefillChunkTokens: 256,
      backgroundChunkTokens: 64,
      kvPoolTokens: 4 * CONTEXT,
      kvBlockTokens: 128,
      sampleUnavailable: 'it runs on the CUDA engine only',
      notices: [],
    });
    const fractions = progress.filter((p) => p.stage === 'convert').map((p) => p.fraction);
    assert.deepEqual(
      fractions,
      [...fractions].sort((a, b) => a - b),
    );
    assert.equal(fractions.at(-1), 1);
    assert.deepEqual(progress.slice(-2), [
      { stage: 'load', fraction: 0 },
      { stage: 'load', fraction: 1 },
    ]);
  });

  test('says that fp8 is not for it', async () => {
    const { notices, prefillPrecision } = await load({ prefillPrecision: 'fp8' });
    assert.match(notices.join(), /fp8 needs a GPU/);
    assert.equal(prefillPrecision, undefined);
  });

  test('weights made again because of damage are told in a notice', async () => {
    const damaged = path.join(cacheDir, 'damaged');
    await load({ cacheDir: damaged });
    const [folder = ''] = fs.readdirSync(path.join(damaged, 'converted'));
    fs.truncateSync(path.join(damaged, 'converted', folder, 'weights.bin'), 100);
    const model = await load({ cacheDir: damaged });
    assert.equal(model.notices.length, 1);
    assert.match(model.notices[0] ?? '', /damaged .* made again/);
  });

  test('prefill in chunks, then decode steps, choose what transformers chooses', async () => {
    await load();
    const sequence = await open();
    const first = await backend.prefillChunk({ sequence, tokens: tokens.subarray(0, 10), sample: false });
    assert.equal(first.next, undefined);
    assert.ok(first.deviceMs > 0);
    const second = await backend.prefillChunk({ sequence, tokens: tokens.subarray(10, 17), sample: true });
    assert.equal(second.next, goldenNext(17));
    for (let count = 17; count < tokens.length; count++) {
      const { next } = await backend.decodeStep({ sequence, token: tokens[count]! });
      assert.equal(next, goldenNext(count + 1));
    }
  });

  test('sequences do not see each other', async () => {
    await load();
    const [one, other] = [await open(), await open()];
    await backend.prefillChunk({ sequence: one, tokens: tokens.subarray(0, 20), sample: false });
    await backend.prefillChunk({ sequence: other, tokens: Int32Array.of(5, 6, 7), sample: true });
    const { next } = await backend.prefillChunk({
      sequence: one,
      tokens: tokens.subarray(20, 30),
      sample: true,
    });
    assert.equal(next, goldenNext(30));
    await backend.closeSequence(other);
    await assert.rejects(
      backend.decodeStep({ sequence: other, token: 1 }),
      isError('engineFailed', /no sequence/),
    );
  });

  test('a rewind forgets tokens and starts sampling anew', async () => {
    await load();
    const sequence = await open(HOT);
    const answer = async () => {
      let { next } = await backend.prefillChunk({ sequence, tokens: tokens.subarray(10, 20), sample: true });
      const chosen = [next];
      for (let i = 0; i < 10; i++) {
        ({ next } = await backend.decodeStep({ sequence, token: next! }));
        chosen.push(next);
      }
      return chosen;
    };
    await backend.prefillChunk({ sequence, tokens: tokens.subarray(0, 10), sample: false });
    const first = await answer();
    await backend.rewindSequence({ sequence, lengthTokens: 10, sampling: HOT, firstUnusedToken: vocabSize });
    assert.deepEqual(await answer(), first);
    const other = { ...HOT, seed: 12 };
    await backend.rewindSequence({
      sequence,
      lengthTokens: 10,
      sampling: other,
      firstUnusedToken: vocabSize,
    });
    assert.notDeepEqual(await answer(), first);
    for (const lengthTokens of [-1, 1.5, 1000]) {
      await assert.rejects(
        backend.rewindSequence({ sequence, lengthTokens, sampling: HOT, firstUnusedToken: vocabSize }),
        isError('engineFailed', /has no first/),
      );
    }
  });

  suite('the KV of one sequence in another', () => {
    const LONG = 300;
    const more = (sequence: number, from: number) =>
      backend.prefillChunk({ sequence, tokens: repeated.subarray(from, LONG), sample: true });
    const repeated = Int32Array.from({ length: LONG }, (_, i) => tokens[i % tokens.length]!);
    /** The greedy answer of a sequence that was never touched otherwise. */
    async function expected(split: number): Promise<number | undefined> {
      const sequence = await open();
      await backend.prefillChunk({ sequence, tokens: repeated.subarray(0, split), sample: false });
      const { next } = await more(sequence, split);
      await backend.closeSequence(sequence);
      return next;
    }

    test('a fork goes on from what it shares, and neither of the two disturbs the other', async () => {
      await load({ contextTokens: 512 });
      const next = await expected(200);
      const first = await open();
      await backend.prefillChunk({ sequence: first, tokens: repeated.subarray(0, 220), sample: false });
      const start = { sampling: GREEDY, firstUnusedToken: vocabSize };
      const second = await backend.forkSequence({ ...start, sequence: first, lengthTokens: 200 });
      await backend.prefillChunk({ sequence: first, tokens: Int32Array.of(1, 2, 3), sample: false });
      assert.equal((await more(second, 200)).next, next);
      await backend.rewindSequence({ ...start, sequence: first, lengthTokens: 200 });
      await backend.closeSequence(second);
      assert.equal((await more(first, 200)).next, next);
      await assert.rejects(
        backend.forkSequence({ ...start, sequence: first, lengthTokens: 301 }),
        isError('engineFailed', /has no first 301/),
      );
    });

    test('what was copied out and in again serves as if it had stayed', async () => {
      await load({ contextTokens: 512 });
      const next = await expected(200);
      const source = await open();
      await backend.prefillChunk({ sequence: source, tokens: repeated.subarray(0, 200), sample: false });
      const block = await backend.exportKv({ sequence: source, startToken: 0, tokens: 128 });
      const rest = await backend.exportKv({ sequence: source, startToken: 128, tokens: 72 });
      await backend.closeSequence(source);
      const restored = await open();
      await backend.importKv({ sequence: restored, tokens: 128, kv: block });
      // Bytes from a file lie anywhere.
      const shifted = new Uint8Array(rest.length + 1);
      shifted.set(rest, 1);
      await backend.importKv({ sequence: restored, tokens: 72, kv: shifted.subarray(1) });
      assert.equal((await more(restored, 200)).next, next);
    });

    test('what does not fit is refused', async () => {
      await load({ contextTokens: 256 });
      const sequence = await open();
      await backend.prefillChunk({ sequence, tokens: repeated.subarray(0, 200), sample: false });
      const kv = await backend.exportKv({ sequence, startToken: 0, tokens: 128 });
      const into = await open();
      for (const [broken, message] of [
        [backend.exportKv({ sequence, startToken: 1, tokens: 2 }), /blocks of 128/],
        [backend.exportKv({ sequence, startToken: 128, tokens: 128 }), /has no first 256/],
        [backend.importKv({ sequence: into, tokens: 127, kv }), /bytes are not the KV of 127/],
        [backend.importKv({ sequence, tokens: 128, kv }), /blocks of 128/],
      ] as const) {
        await assert.rejects(broken, isError('engineFailed', message));
      }
      await backend.importKv({ sequence: into, tokens: 128, kv });
      await backend.importKv({ sequence: into, tokens: 128, kv });
      await assert.rejects(
        backend.importKv({ sequence: into, tokens: 128, kv }),
        isError('contextTooLarge', /384 tokens/),
      );
    });
  });

  test('the context is filled to its last token, and one more is refused without harm', async () => {
    await load();
    const sequence = await open();
    const all = Int32Array.from({ length: CONTEXT }, (_, i) => i);
    await backend.prefillChunk({ sequence, tokens: all.subarray(1), sample: true });
    await assert.rejects(
      backend.prefillChunk({ sequence, tokens: Int32Array.of(1, 2), sample: true }),
      isError('contextTooLarge', /65 tokens do not fit into the context of 64/),
    );
    await backend.decodeStep({ sequence, token: 3 });
    await assert.rejects(backend.decodeStep({ sequence, token: 3 }), isError('contextTooLarge', /65 tokens/));
  });

  test('a context beyond the trained one is refused before anything is computed', async () => {
    await assert.rejects(load({ contextTokens: 513 }), isError('contextTooLarge', /513 tokens .* 512/));
    const { notices } = await load({ contextTokens: 513, yarnFactor: 4 });
    assert.match(notices.join(), /YaRN factor 4/);
  });

  test('cuda and sample attention are refused with the reason, whatever the model', async () => {
    const modelPath = path.join(cacheDir, 'no-such.gguf');
    await assert.rejects(load({ modelPath, device: 'cuda' }), isError('deviceUnavailable', /cuda.*CPU only/));
    await assert.rejects(
      load({ modelPath, attention: 'sample' }),
      isError('attentionUnavailable', /SampleAttention .* NVIDIA GPU/),
    );
  });

  test('numbers that make no sense are refused', async () => {
    for (const contextTokens of [0, -5, 1.5, Number.NaN]) {
      await assert.rejects(load({ contextTokens }), isError('badRequest', /context length/));
    }
    await assert.rejects(load({ cpuThreads: 0 }), isError('badRequest', /CPU threads/));
  });

  test('tokens outside the vocabulary and empty chunks are refused without harm', async () => {
    await load();
    const sequence = await open();
    for (const bad of [Int32Array.of(1, vocabSize), Int32Array.of(-1), new Int32Array(0)]) {
      await assert.rejects(
        backend.prefillChunk({ sequence, tokens: bad, sample: true }),
        isError('badRequest', /vocabulary|without tokens/),
      );
    }
    const { next } = await backend.prefillChunk({ sequence, tokens: tokens.subarray(0, 9), sample: true });
    assert.equal(next, goldenNext(9));
  });

  test('at most four sequences are open', async () => {
    await load();
    const ids = [await open(), await open(), await open(), await open()];
    await assert.rejects(open(), isError('engineFailed', /holds 4 sequences/));
    await backend.closeSequence(ids[2]!);
    await open();
  });

  test('weights that compute nonsense are an error, not an answer', async () => {
    const modelPath = path.join(cacheDir, 'nan.gguf');
    const bytes = fs.readFileSync(pathOf(MODEL));
    const gguf = await openGguf(pathOf(MODEL));
    const { offsetBytes } = gguf.tensors.get('blk.1.ffn_norm.weight')!;
    await gguf.close();
    bytes.writeFloatLE(Number.NaN, offsetBytes);
    fs.writeFileSync(modelPath, bytes);
    await load({ modelPath, modelSha256: 'nan' });
    const sequence = await open();
    await assert.rejects(
      backend.prefillChunk({ sequence, tokens, sample: true }),
      isError('engineFailed', /no usable answer/),
    );
  });

  test('a damaged model file is named and leaves the backend usable', async () => {
    const modelPath = path.join(cacheDir, 'cut.gguf');
    fs.writeFileSync(modelPath, fs.readFileSync(pathOf(MODEL)).subarray(0, 100_000));
    await assert.rejects(load({ modelPath, modelSha256: 'cut' }), isError('modelCorrupt', /cut\.gguf/));
    await assert.rejects(open(), isError('engineFailed', /No model is loaded/));
    await load();
    await open();
  });

  test('a second model replaces the first and its sequences', async () => {
    await load();
    const sequence = await open();
    await load({ modelPath: pathOf('llama-untied-f16'), modelSha256: 'llama-untied-f16' });
    await assert.rejects(backend.decodeStep({ sequence, token: 1 }), isError('engineFailed', /no sequence/));
  });

  test('a cache behind a symbolic link works', async () => {
    const link = path.join(cacheDir, 'link');
    const target = path.join(cacheDir, 'target');
    fs.mkdirSync(target);
    fs.symlinkSync(target, link);
    await load({ cacheDir: link });
    const sequence = await open();
    const { next } = await backend.prefillChunk({ sequence, tokens: tokens.subarray(0, 9), sample: true });
    assert.equal(next, goldenNext(9));
  });

  test('a platform without onnxruntime is told so', async () => {
    const without = new OnnxBackend({
      loadRuntime: () =>
        Promise.reject(new LongviewError('deviceUnavailable', 'onnxruntime cannot be loaded', 'Use Linux.')),
      freshSeed: () => 1,
    });
    await assert.rejects(
      without.load(request(), ignoreProgress),
      isError('deviceUnavailable', /onnxruntime/),
    );
  });
});
