import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { publishPrompts } from '../../../../bench/quality/published-prompts';
import { plantingsOf } from '../../../../bench/quality/sets';
import { tinyModel, writeGguf } from '../../server/models/support/write-gguf';
import { SPECIAL, smallVocabulary } from '../../server/tokenizer/small-vocabulary';

const CONTEXT = 4096;
const TEMPLATE =
  `{% for message in messages %}${SPECIAL.start}{{ message.role }}\n{{ message.content }}${SPECIAL.end}\n{% endfor %}` +
  `{% if add_generation_prompt %}${SPECIAL.start}assistant\n{% endif %}`;
const COUNTS = { needle: 3, multiKey: 1, tracking: 1, function: 0 };

/** A model whose tokenizer can write any text. */
function model(): Buffer {
  const vocabulary = smallVocabulary({ pre: 'qwen2' });
  const tokens = vocabulary.get('tokenizer.ggml.tokens') as string[];
  const { metadata, tensors } = tinyModel('qwen2');
  const [embedding, ...others] = tensors;
  assert.equal(embedding?.name, 'token_embd.weight');
  const entries = metadata.filter(({ key }) => !vocabulary.has(key) && key !== 'qwen2.context_length');
  const strings = (key: string) => ({
    key,
    type: 'array' as const,
    itemType: 'string' as const,
    value: vocabulary.get(key) as string[],
  });
  const types = [...(vocabulary.get('tokenizer.ggml.token_type') as Int32Array)];
  return writeGguf({
    metadata: [
      ...entries,
      { key: 'qwen2.context_length', type: 'u32', value: CONTEXT },
      { key: 'tokenizer.ggml.model', type: 'string', value: 'gpt2' },
      { key: 'tokenizer.ggml.pre', type: 'string', value: 'qwen2' },
      strings('tokenizer.ggml.tokens'),
      strings('tokenizer.ggml.merges'),
      { key: 'tokenizer.ggml.token_type', type: 'array', itemType: 'i32', value: types },
      { key: 'tokenizer.ggml.eos_token_id', type: 'u32', value: tokens.indexOf(SPECIAL.end) },
      { key: 'tokenizer.chat_template', type: 'string', value: TEMPLATE },
    ],
    tensors: [
      { name: 'token_embd.weight', dims: [64, tokens.length], type: 'Q8_0' },
      ...others.map((tensor) =>
        tensor.name === 'output.weight' ? { ...tensor, dims: [64, tokens.length] } : tensor,
      ),
    ],
  });
}

interface Published {
  prefix: number[];
  contextTokens: number;
  questions: { rest: number[]; expected: string; text: string }[];
}

suite('bench/quality published prompts', () => {
  const [planting] = plantingsOf('tuning', 1);
  let folder: string;
  let prompt: Published;
  let described: {
    specs: Record<string, { yarn?: { factor: number } }>;
    tensors: Record<string, { type: string; dims: number[]; offsetBytes: number; sizeBytes: number }>;
    vocabulary: string[];
  };
  let bytes: Buffer;

  suiteSetup(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-prompts-'));
    bytes = model();
    fs.writeFileSync(path.join(folder, 'model.gguf'), bytes);
    const files = Array.from({ length: 40 }, (_, i) => ({
      path: `src/part${i}.ts`,
      text: Array.from({ length: 4 }, (__, j) => `\nexport const value${i}_${j} = ${i * j};\n`).join(''),
    }));
    const corpus = path.join(folder, 'corpus');
    fs.mkdirSync(corpus);
    fs.writeFileSync(
      path.join(corpus, `${planting!.repository.id}-${planting!.seed}.json`),
      JSON.stringify(files),
    );
    const modelPath = path.join(folder, 'model.gguf');
    await publishPrompts({ corpus, modelPath, lengths: [3000], out: folder }, [planting!], COUNTS);
    const name = fs.readdirSync(folder).find((file) => file.startsWith('prompt-3k-'));
    prompt = JSON.parse(fs.readFileSync(path.join(folder, name!), 'utf8')) as Published;
    described = JSON.parse(fs.readFileSync(path.join(folder, 'model.json'), 'utf8')) as typeof described;
  });
  suiteTeardown(() => fs.rmSync(folder, { recursive: true }));

  const textOf = (ids: readonly number[]): string =>
    Buffer.concat(ids.map((id) => Buffer.from(described.vocabulary[id]!, 'base64'))).toString();

  test('the ids are the text, by the vocabulary beside them', () => {
    const text = textOf(prompt.prefix);
    assert.ok(text.includes('export const value0_0 = 0;'), text.slice(0, 500));
    assert.ok(prompt.questions.length > 0);
    for (const { rest, text: question, expected } of prompt.questions) {
      assert.ok(textOf(rest).includes(question), question);
      assert.ok(text.includes(expected), `${expected} was not planted`);
    }
  });

  test('what is said of a tensor finds its bytes', () => {
    const norm = described.tensors['output_norm.weight']!;
    assert.deepEqual([norm.type, norm.dims, norm.sizeBytes], ['F32', [64], 256]);
    // writeGguf fills every tensor with a count that begins at seven times its number.
    const number = Object.keys(described.tensors).indexOf('output_norm.weight');
    assert.equal(bytes[norm.offsetBytes], (number * 7) % 251);
  });

  test('a length within the trained context is read without YaRN', () => {
    assert.equal(prompt.contextTokens, CONTEXT);
    assert.deepEqual(Object.keys(described.specs), [String(CONTEXT)]);
    assert.equal(described.specs[CONTEXT]?.yarn, undefined);
  });
});
