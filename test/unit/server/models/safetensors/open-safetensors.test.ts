import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '../../../../../protocol';
import { tensorsOf } from '../../../../../server/backends/cuda/tensors';
import { OnnxBackend } from '../../../../../server/backends/onnx/onnx-backend';
import { loadOnnxRuntime } from '../../../../../server/backends/onnx/onnx-runtime';
import type { GgufFile } from '../../../../../server/models/gguf/gguf-file';
import { openGguf } from '../../../../../server/models/gguf/open-gguf';
import { openModel } from '../../../../../server/models/open-model';
import { readModelSpec } from '../../../../../server/models/read-model-spec';
import { goldenOf, pathOf } from '../../backends/onnx/tiny-models';
import { checkpointOf } from '../support/checkpoint-of';
import { rejectsWith } from '../support/errors';
import { useTempFolder } from '../support/temp-folder';
import { type Checkpoint, writeCheckpoint } from '../support/write-safetensors';

const MODEL = 'qwen2-tied-f32';

suite('a checkpoint in safetensors', () => {
  const temp = useTempFolder();
  let checkpoint: Checkpoint;

  suiteSetup(async () => {
    checkpoint = await checkpointOf(pathOf(MODEL));
  });

  async function opened<T>(path: string, use: (model: GgufFile) => T | Promise<T>): Promise<T> {
    const model = await openModel(path);
    try {
      return await use(model);
    } finally {
      await model.close();
    }
  }

  /** A folder with some of the checkpoint changed. */
  function folderWith(changes: Partial<Checkpoint> = {}, parts = 1): string {
    const folder = join(temp(), 'tiny-qwen');
    writeCheckpoint(folder, { ...checkpoint, ...changes }, parts);
    return folder;
  }

  test('is the same model as the GGUF file of its weights', async () => {
    const gguf = await openGguf(pathOf(MODEL));
    const expected = readModelSpec(gguf);
    await gguf.close();
    const spec = await opened(folderWith(), readModelSpec);
    assert.deepEqual(spec, { ...expected, name: 'tiny-qwen' });
    // One of its files names it as well.
    await opened(join(folderWith(), 'model.safetensors'), (model) => readModelSpec(model));
  });

  test('answers as transformers does', async () => {
    const { tokens, logits, vocabSize } = goldenOf(MODEL);
    const backend = new OnnxBackend({ loadRuntime: loadOnnxRuntime, freshSeed: () => 1 });
    try {
      await backend.load(
        {
          modelPath: folderWith(),
          modelSha256: 'safetensors',
          cacheDir: join(temp(), 'cache'),
          device: 'cpu',
          attention: 'auto',
          contextTokens: 64,
          cpuThreads: 1,
          matmulAccuracy: 0,
        },
        () => undefined,
      );
      const sampling = { temperature: 0, topP: 1, topK: 0, stop: [] };
      const sequence = await backend.openSequence({ sampling, firstUnusedToken: vocabSize });
      const { next } = await backend.prefillChunk({ sequence, tokens, sample: true });
      const last = logits.subarray((tokens.length - 1) * vocabSize);
      assert.equal(next, last.indexOf(Math.max(...last)));
    } finally {
      await backend.dispose();
    }
  });

  test('may come in parts, each tensor in its file', async () => {
    const whole = await opened(folderWith(), async (model) =>
      Buffer.from(await model.readTensor('blk.1.attn_q.bias')),
    );
    rmSync(folderWith(), { recursive: true });
    await opened(folderWith({}, 3), async (model) => {
      assert.equal(model.files.length, 3);
      assert.deepEqual(Buffer.from(await model.readTensor('blk.1.attn_q.bias')), whole);
      const files = new Set(tensorsOf(model).map(({ file }) => file));
      assert.deepEqual([...files].sort(), [0, 1, 2]);
      readModelSpec(model);
    });
  });

  test('with a tied head needs no second one, and leaves one out', async () => {
    const embedding = checkpoint.tensors.find(({ name }) => name === 'model.embed_tokens.weight')!;
    const tensors = [...checkpoint.tensors, { ...embedding, name: 'lm_head.weight' }];
    assert.equal(await opened(folderWith({ tensors }), (model) => readModelSpec(model).tiedEmbedding), true);
    const untied = { ...checkpoint.config, tie_word_embeddings: false };
    assert.equal(
      await opened(folderWith({ tensors, config: untied }), (model) => readModelSpec(model).tiedEmbedding),
      false,
    );
    await rejectsWith(
      () => openModel(folderWith({ config: untied })),
      'modelCorrupt',
      /lm_head\.weight is missing/,
    );
  });

  const replaced = (change: object) => ({
    tensors: checkpoint.tensors.map((tensor, index) => (index === 0 ? { ...tensor, ...change } : tensor)),
  });
  const refused: [string, () => Partial<Checkpoint>, ErrorCode, RegExp][] = [
    [
      'another family',
      () => ({ config: { ...checkpoint.config, model_type: 'gemma3' } }),
      'modelUnsupported',
      /gemma3/,
    ],
    [
      'an activation of its own',
      () => ({ config: { ...checkpoint.config, hidden_act: 'gelu' } }),
      'modelUnsupported',
      /gelu/,
    ],
    [
      'a sliding window',
      () => ({ config: { ...checkpoint.config, use_sliding_window: true } }),
      'modelUnsupported',
      /sliding window/,
    ],
    [
      'a configuration that lacks a size',
      () => ({ config: { model_type: 'qwen2' } }),
      'modelCorrupt',
      /hidden_size/,
    ],
    ['a format that is not read', () => replaced({ dtype: 'F8_E4M3' }), 'modelUnsupported', /F8_E4M3/],
    [
      'a shape that its bytes do not fill',
      () => replaced({ shape: [7, 7] }),
      'modelCorrupt',
      /as its shape asks/,
    ],
    [
      'another tensor',
      () => replaced({ name: 'model.layers.0.self_attn.sinks' }),
      'modelCorrupt',
      /token_embd|missing/,
    ],
    [
      'a tensor twice',
      () => ({ tensors: [...checkpoint.tensors, { ...checkpoint.tensors[0]!, name: 'token_embd.weight' }] }),
      'modelCorrupt',
      /twice/,
    ],
    [
      'a tokenizer of another kind',
      () => ({ tokenizer: { model: { type: 'Unigram', vocab: {}, merges: [] } } }),
      'modelUnsupported',
      /Unigram/,
    ],
    [
      'texts cut otherwise',
      () => ({ tokenizer: { ...checkpoint.tokenizer, pre_tokenizer: { type: 'Whitespace' } } }),
      'modelUnsupported',
      /cuts texts/,
    ],
  ];
  for (const [what, change, code, message] of refused) {
    test(`is refused with ${what}`, () =>
      rejectsWith(() => opened(folderWith(change()), (model) => readModelSpec(model)), code, message));
  }

  test('is refused where a file is missing, cut or none of the format', async () => {
    for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors']) {
      const folder = folderWith();
      rmSync(join(folder, name));
      await rejectsWith(() => openModel(folder), 'modelMissing', new RegExp(name.replace('.', '\\.')));
    }
    for (const bytes of [Buffer.alloc(4), Buffer.alloc(8, 0xff), Buffer.from('\x05\0\0\0\0\0\0\0{"a":')]) {
      const folder = folderWith();
      writeFileSync(join(folder, 'model.safetensors'), bytes);
      await rejectsWith(() => openModel(folder), 'modelCorrupt', /./);
    }
    const folder = folderWith();
    const index = { weight_map: { 'lm_head.weight': '../elsewhere.safetensors' } };
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
    await rejectsWith(() => openModel(folder), 'modelCorrupt', /elsewhere/);
  });
});
