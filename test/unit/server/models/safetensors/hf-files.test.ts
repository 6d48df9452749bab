import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { GgufValue } from '../../../../../server/models/gguf/gguf-file';
import { readHfConfig } from '../../../../../server/models/safetensors/hf-config';
import { readHfTokenizer } from '../../../../../server/models/safetensors/hf-tokenizer';
import { tokenizerFromMetadata } from '../../../../../server/tokenizer/from-gguf';
import { type Metadata, SPECIAL, smallVocabulary } from '../../tokenizer/small-vocabulary';
import { rejectsWith } from '../support/errors';

const QWEN2 = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const PRE = {
  qwen2: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: QWEN2 }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    ],
  },
  smollm: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Digits', individual_digits: true },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    ],
  },
};

/** `tokenizer.json` as transformers would write the same vocabulary. */
function tokenizerJson(metadata: Metadata, pre: keyof typeof PRE): object {
  const tokens = metadata.get('tokenizer.ggml.tokens') as string[];
  const types = metadata.get('tokenizer.ggml.token_type') as Int32Array;
  const merges = metadata.get('tokenizer.ggml.merges') as string[];
  const normal = tokens.flatMap((text, id) => (types[id] === 1 ? [[text, id] as const] : []));
  const added = tokens.flatMap((content, id) =>
    types[id] === 3 || types[id] === 4 ? [{ id, content, special: types[id] === 3 }] : [],
  );
  return {
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(normal),
      merges: merges.map((merge) => merge.split(' ')),
    },
    added_tokens: added,
    pre_tokenizer: PRE[pre],
  };
}

suite('the tokenizer of a checkpoint', () => {
  const texts = ["let total = 0x10; // don't", 'größe 日本 🙂\n\n\t12 345', '  }\r\n', '<tool_call>x'];
  for (const pre of ['qwen2', 'smollm'] as const) {
    test(`cuts and merges as that of the GGUF file does: ${pre}`, () => {
      const metadata = smallVocabulary({ pre });
      const config = { eos_token: { content: SPECIAL.end }, bos_token: null, chat_template: 'a template' };
      const read = readHfTokenizer({ tokenizer: tokenizerJson(metadata, pre), config }, 'folder');
      assert.equal(read.get('tokenizer.chat_template'), 'a template');
      const [ours, expected] = [tokenizerFromMetadata(read), tokenizerFromMetadata(metadata)];
      for (const text of texts) assert.deepEqual(ours.encode(text), expected.encode(text), text);
      assert.deepEqual(
        [ours.endTokens, ours.firstUnusedToken],
        [expected.endTokens, expected.firstUnusedToken],
      );
    });
  }

  test('takes the template for conversations, and one in a file of its own before it', () => {
    const tokenizer = tokenizerJson(smallVocabulary({ pre: 'qwen2' }), 'qwen2');
    const chat_template = [
      { name: 'tool_use', template: 'other' },
      { name: 'default', template: 'own' },
    ];
    const of = (template?: string): GgufValue | undefined =>
      readHfTokenizer({ tokenizer, config: { chat_template }, ...(template && { template }) }, 'folder').get(
        'tokenizer.chat_template',
      );
    assert.deepEqual([of(), of('file')], ['own', 'file']);
  });

  test('that is no tokenizer is refused', () =>
    rejectsWith(() => readHfTokenizer({ tokenizer: [], config: {} }, 'folder'), 'modelCorrupt', /tokenizer/));
});

suite('the configuration of a checkpoint', () => {
  const LLAMA = {
    model_type: 'llama',
    hidden_size: 4096,
    intermediate_size: 14_336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-5,
    rope_theta: 500_000,
  };
  const LLAMA3 = {
    rope_type: 'llama3',
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };

  test('scales positions as Llama 3 does, by both names of transformers', () => {
    const goldens = JSON.parse(readFileSync(path.join(process.cwd(), 'test/fixtures/rope.json'), 'utf8')) as {
      divisors?: number[];
    }[];
    const expected = goldens.find(({ divisors }) => divisors)?.divisors ?? assert.fail();
    const { rope_theta, ...rest } = LLAMA;
    for (const config of [
      { ...LLAMA, rope_scaling: LLAMA3 },
      { ...rest, rope_parameters: { ...LLAMA3, rope_theta } },
    ]) {
      const { ropeDivisors, metadata } = readHfConfig(config, 'folder', 'name');
      assert.equal(metadata.get('llama.rope.freq_base'), 500_000);
      assert.equal(ropeDivisors?.length, 64);
      for (const [i, divisor] of expected.entries())
        assert.ok(Math.abs((ropeDivisors[i] ?? 0) / divisor - 1) < 1e-6, `pair ${i}`);
    }
  });

  test('reaches as far as its YaRN does, with its own attention', () => {
    const rope_scaling = {
      type: 'yarn',
      factor: 4,
      original_max_position_embeddings: 32_768,
      attention_factor: 1,
    };
    const config = { ...LLAMA, model_type: 'qwen2', max_position_embeddings: 32_768, rope_scaling };
    const { metadata } = readHfConfig(config, 'folder', 'name');
    assert.equal(metadata.get('qwen2.context_length'), 131_072);
    assert.equal(metadata.get('qwen2.rope.scaling.type'), 'yarn');
    assert.equal(metadata.get('qwen2.rope.scaling.attn_factor'), 1 / (0.1 * Math.log(4) + 1));
  });

  test('with half of a scaling is refused', () =>
    rejectsWith(
      () => readHfConfig({ ...LLAMA, rope_scaling: { rope_type: 'llama3', factor: 8 } }, 'folder', 'name'),
      'modelCorrupt',
      /not complete/,
    ));
});
