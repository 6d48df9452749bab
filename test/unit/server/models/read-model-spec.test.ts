import { strict as assert } from 'node:assert';
import { ByteCursor } from '../../../../server/models/gguf/byte-cursor';
import type { GgufFile } from '../../../../server/models/gguf/gguf-file';
import { parseHeader } from '../../../../server/models/gguf/parse-header';
import type { ModelSpec } from '../../../../server/models/model-spec';
import { readModelSpec } from '../../../../server/models/read-model-spec';
import { rejectsWith } from './support/errors';
import { type Entry, type GgufSource, type ScalarType, tinyModel, writeGguf } from './support/write-gguf';

function specOf(source: GgufSource, path = 'folder/some-model.gguf'): ModelSpec {
  const bytes = writeGguf(source);
  const header = parseHeader(new ByteCursor(bytes, bytes.length, path), bytes.length);
  return readModelSpec({ path, sizeBytes: bytes.length, ...header } as GgufFile);
}

/** A tiny model with keys set to other values, or taken out (undefined). */
function withKeys(
  architecture: 'qwen2' | 'llama',
  keys: Record<string, [ScalarType, number | string] | undefined>,
): GgufSource {
  const source = tinyModel(architecture);
  const kept = source.metadata.filter((entry) => !(entry.key in keys));
  const added = Object.entries(keys).flatMap(([key, value]): Entry[] =>
    value ? [{ key, type: value[0], value: value[1] }] : [],
  );
  return { ...source, metadata: [...kept, ...added] };
}

const YARN: Record<string, [ScalarType, number | string]> = {
  'qwen2.rope.scaling.type': ['string', 'yarn'],
  'qwen2.rope.scaling.factor': ['f32', 4],
  'qwen2.rope.scaling.original_context_length': ['u32', 128],
};

suite('readModelSpec', () => {
  test('reads a Qwen2 file', () => {
    assert.deepEqual(specOf(tinyModel('qwen2')), {
      architecture: 'qwen2',
      name: 'Tiny qwen2',
      layerCount: 1,
      hiddenSize: 64,
      feedForwardSize: 96,
      headCount: 2,
      kvHeadCount: 1,
      headDim: 32,
      vocabSize: 8,
      trainedContextTokens: 512,
      ropeBase: 10_000,
      rmsNormEpsilon: Math.fround(1e-6),
      tiedEmbedding: false,
      qkvBias: true,
      qkNorm: false,
      interleavedRope: false,
    });
  });

  test('reads a Llama file: tied embedding, no bias, interleaved positions', () => {
    const { tiedEmbedding, qkvBias, interleavedRope } = specOf(tinyModel('llama'));
    assert.deepEqual(
      { tiedEmbedding, qkvBias, interleavedRope },
      { tiedEmbedding: true, qkvBias: false, interleavedRope: true },
    );
  });

  test('falls back where the format says so, and to the file name', () => {
    const source = withKeys('llama', {
      'llama.rope.freq_base': undefined,
      'general.name': undefined,
      'llama.context_length': ['u64', 300],
    });
    const { ropeBase, name, trainedContextTokens } = specOf(source);
    assert.deepEqual([ropeBase, name, trainedContextTokens], [10_000, 'some-model', 300]);
  });

  test('refuses another architecture and names those that run', async () => {
    const source = withKeys('llama', { 'general.architecture': ['string', 'gemma3'] });
    await rejectsWith(() => specOf(source), 'modelUnsupported', /gemma3.*qwen2, qwen3, llama/);
  });

  const unsupported: [string, GgufSource, RegExp][] = [
    ['experts', withKeys('llama', { 'llama.expert_count': ['u32', 8] }), /mixture of experts/],
    [
      'scaled positions',
      withKeys('qwen2', { 'qwen2.rope.scaling.type': ['string', 'linear'] }),
      /scaled \(linear\)/,
    ],
    [
      'YaRN with a scale of its own',
      withKeys('qwen2', { ...YARN, 'qwen2.rope.scaling.yarn_log_multiplier': ['f32', 0.1] }),
      /scaled \(yarn\)/,
    ],
    [
      'partial positions',
      withKeys('llama', { 'llama.rope.dimension_count': ['u32', 16] }),
      /part of each head/,
    ],
    ['unlike values', withKeys('llama', { 'llama.attention.value_length': ['u32', 16] }), /differ in length/],
  ];
  for (const [name, source, message] of unsupported) {
    test(`refuses ${name}`, () => rejectsWith(() => specOf(source), 'modelUnsupported', message));
  }

  test('refuses a tensor that it does not know', async () => {
    const source = tinyModel('llama');
    source.tensors.push({ name: 'blk.0.attn_sinks.weight', dims: [16], type: 'F32' });
    await rejectsWith(() => specOf(source), 'modelUnsupported', /attn_sinks\.weight/);
    const qwen = tinyModel('qwen2');
    qwen.tensors.push({ name: 'rope_freqs.weight', dims: [16], type: 'F32' });
    await rejectsWith(() => specOf(qwen), 'modelUnsupported', /rope_freqs\.weight/);
  });

  test('reads YaRN with the parameters of the paper, or those of the file', () => {
    const { yarn, trainedContextTokens } = specOf(withKeys('qwen2', YARN));
    assert.equal(trainedContextTokens, 512);
    const attentionFactor = 0.1 * Math.log(4) + 1;
    assert.deepEqual(yarn, {
      factor: 4,
      originalContextTokens: 128,
      betaFast: 32,
      betaSlow: 1,
      attentionFactor,
    });
    const own = withKeys('qwen2', {
      ...YARN,
      'qwen2.rope.scaling.attn_factor': ['f32', 0.5],
      'qwen2.rope.scaling.yarn_beta_fast': ['f32', 24],
      'qwen2.rope.scaling.yarn_beta_slow': ['f32', 2],
    });
    const read = specOf(own).yarn;
    assert.deepEqual([read?.betaFast, read?.betaSlow, read?.attentionFactor], [24, 2, attentionFactor / 2]);
  });

  test('takes the divisors of Llama 3 for one half of a head', async () => {
    const source = tinyModel('llama');
    source.tensors.push({ name: 'rope_freqs.weight', dims: [16], type: 'F32' });
    specOf(source);
    source.tensors.at(-1)!.dims = [32];
    await rejectsWith(() => specOf(source), 'modelCorrupt', /rope_freqs\.weight has the shape 32 instead/);
  });

  for (const key of [
    'block_count',
    'context_length',
    'embedding_length',
    'feed_forward_length',
    'attention.head_count',
    'attention.layer_norm_rms_epsilon',
  ]) {
    test(`refuses a file without ${key}`, () =>
      rejectsWith(
        () => specOf(withKeys('qwen2', { [`qwen2.${key}`]: undefined })),
        'modelCorrupt',
        new RegExp(`qwen2\\.${key} is missing`),
      ));
  }

  const corrupt: [string, GgufSource, RegExp][] = [
    [
      'no architecture',
      withKeys('qwen2', { 'general.architecture': undefined }),
      /general\.architecture is missing/,
    ],
    ['a count of 0', withKeys('qwen2', { 'qwen2.block_count': ['u32', 0] }), /block_count is 0/],
    ['a negative count', withKeys('qwen2', { 'qwen2.block_count': ['i32', -1] }), /block_count is -1/],
    ['half a layer', withKeys('qwen2', { 'qwen2.block_count': ['f32', 1.5] }), /not a whole number/],
    ['a count in words', withKeys('qwen2', { 'qwen2.block_count': ['string', 'one'] }), /not a number/],
    [
      'more layers than tensors',
      withKeys('qwen2', { 'qwen2.block_count': ['u32', 4_000_000_000] }),
      /blk\.1\.\S+ is missing/,
    ],
    [
      'heads that do not divide',
      withKeys('qwen2', {
        'qwen2.attention.head_count': ['u32', 3],
        'qwen2.attention.head_count_kv': ['u32', 2],
        'qwen2.attention.key_length': ['u32', 32],
      }),
      /3 heads cannot share 2/,
    ],
    [
      'YaRN without a factor',
      withKeys('qwen2', { ...YARN, 'qwen2.rope.scaling.factor': undefined }),
      /rope\.scaling\.factor is missing/,
    ],
    [
      'YaRN that shortens',
      withKeys('qwen2', { ...YARN, 'qwen2.rope.scaling.factor': ['f32', 0.5] }),
      /scaled by 0\.5/,
    ],
    [
      'YaRN that keeps what it slows',
      withKeys('qwen2', { ...YARN, 'qwen2.rope.scaling.yarn_beta_slow': ['f32', 33] }),
      /keep above 32 turns and to slow below 33/,
    ],
    [
      'another width',
      withKeys('qwen2', { 'qwen2.feed_forward_length': ['u32', 95] }),
      /ffn_gate\.weight has the shape 64 x 96 instead of 64 x 95/,
    ],
  ];
  for (const [name, source, message] of corrupt) {
    test(`refuses ${name}`, () => rejectsWith(() => specOf(source), 'modelCorrupt', message));
  }

  test('refuses a file that lacks any one of its tensors', async () => {
    const names = tinyModel('qwen2')
      .tensors.map((tensor) => tensor.name)
      .filter((name) => name !== 'output.weight');
    for (const name of names) {
      const source = tinyModel('qwen2');
      source.tensors = source.tensors.filter((tensor) => tensor.name !== name);
      await rejectsWith(
        () => specOf(source),
        'modelCorrupt',
        new RegExp(`tensor ${name.replaceAll('.', '\\.')} is missing`),
      );
    }
  });

  test('refuses more tokens than embeddings', async () => {
    const source = tinyModel('llama');
    const tokens = source.metadata.find((entry) => entry.key === 'tokenizer.ggml.tokens')!;
    tokens.value = Array.from({ length: 9 }, (_, i) => String(i));
    await rejectsWith(() => specOf(source), 'modelCorrupt', /names 9 tokens but embeds 8/);
  });
});
