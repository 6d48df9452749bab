import assert from 'node:assert/strict';
import { tokenizerFromMetadata } from '../../../../server/tokenizer/from-gguf';
import { randomText, SeededRandom } from './random-text';
import { ReferenceTokenizer } from './reference-tokenizer';
import { type Metadata, SPECIAL, smallVocabulary, USER_DEFINED } from './small-vocabulary';

const textOf = (metadata: Metadata, ids: ArrayLike<number>): string[] => {
  const tokens = metadata.get('tokenizer.ggml.tokens') as string[];
  return Array.from(ids, (id) => tokens[id]!);
};

for (const pre of ['qwen2', 'smollm'] as const) {
  suite(`byte-level BPE with ${pre}`, () => {
    const metadata = smallVocabulary({ pre, paddingTokens: 7 });
    const reference = new ReferenceTokenizer(metadata);

    test('3,000 random texts like the plain algorithm, and back to the text', () => {
      const tokenizer = tokenizerFromMetadata(metadata);
      const random = new SeededRandom(7);
      for (let round = 0; round < 3000; round++) {
        const text = randomText(random, 1 + random.below(40));
        const ids = tokenizer.encode(text);
        assert.deepEqual([...ids], reference.encode(text), JSON.stringify(text));
        assert.equal(tokenizer.decode(ids), Buffer.from(text).toString());
      }
    });

    test('pieces around the limits of the merge algorithms and of the cache', () => {
      const tokenizer = tokenizerFromMetadata(metadata);
      const random = new SeededRandom(8);
      for (const length of [1, 2, 3, 63, 64, 65, 66, 255, 256, 257, 1000, 4095, 4096, 4097]) {
        const letters = Array.from({ length }, () => random.pick(Array.from('aetnousvlr'))).join('');
        const expected = reference.encode(letters);
        assert.deepEqual([...tokenizer.encode(letters)], expected, `${length} letters`);
        assert.deepEqual([...tokenizer.encode(letters)], expected, `${length} letters again`);
        const signs = '='.repeat(length);
        assert.deepEqual([...tokenizer.encode(signs)], reference.encode(signs), `${length} signs`);
      }
    });

    test('more distinct pieces than the cache holds', () => {
      const tokenizer = tokenizerFromMetadata(metadata);
      const words = Array.from(
        { length: 200_000 },
        (_, index) => ` v${index.toString(26).replace(/\d/g, 'q')}`,
      );
      const first = tokenizer.encode(words.join(''));
      assert.deepEqual(tokenizer.encode(words.join('')), first);
      const sample = words.slice(131_000, 131_200).join('');
      assert.deepEqual([...tokenizer.encode(sample)], reference.encode(sample));
    });

    test('special tokens count with parseSpecial only', () => {
      const tokenizer = tokenizerFromMetadata(metadata);
      const text = `a${SPECIAL.end} b${USER_DEFINED}${SPECIAL.start}${SPECIAL.start}c <|im_en`;
      const parsed = textOf(metadata, tokenizer.encode(text, { parseSpecial: true }));
      const special = parsed.filter((token) => token.startsWith('<') && token.length > 4);
      assert.deepEqual(special, [SPECIAL.end, USER_DEFINED, SPECIAL.start, SPECIAL.start]);
      assert.deepEqual([...tokenizer.encode(text)], reference.encode(text));
      assert.deepEqual(tokenizer.encode(text, { parseSpecial: false }), tokenizer.encode(text));
    });

    test('text without special tokens is the same either way', () => {
      const tokenizer = tokenizerFromMetadata(metadata);
      const text = 'const total = 0;\n';
      assert.deepEqual(tokenizer.encode(text, { parseSpecial: true }), tokenizer.encode(text));
      assert.deepEqual([...tokenizer.encode('', { parseSpecial: true })], []);
    });

    test('decode leaves control tokens out and shows user-defined ones', () => {
      const tokenizer = tokenizerFromMetadata(metadata);
      const ids = tokenizer.encode(`a${SPECIAL.end}b${USER_DEFINED}c`, { parseSpecial: true });
      assert.equal(tokenizer.decode(ids), `ab${USER_DEFINED}c`);
    });

    test('decode refuses an id outside the vocabulary', () => {
      const tokenizer = tokenizerFromMetadata(metadata);
      assert.throws(() => tokenizer.decode([tokenizer.vocabSize]), RangeError);
      assert.throws(() => tokenizer.decode([-1]), RangeError);
    });

    test('padding rows are outside of what may be produced', () => {
      const tokenizer = tokenizerFromMetadata(metadata);
      assert.equal(tokenizer.firstUnusedToken, tokenizer.vocabSize - 7);
      const ids = tokenizer.encode('[PAD0] [PAD6]', { parseSpecial: true });
      assert.ok(ids.every((id) => id < tokenizer.firstUnusedToken));
    });

    test('bytes that the vocabulary lacks leave nothing, as in llama.cpp', () => {
      const lacking = smallVocabulary({ pre, missingBytes: [0x04, 0xf1] });
      const tokenizer = tokenizerFromMetadata(lacking);
      assert.equal(tokenizer.decode(tokenizer.encode('a\u0004b \u0004\u0004')), 'ab ');
      const text = 'x\u{40000}\u0004y';
      assert.deepEqual([...tokenizer.encode(text)], new ReferenceTokenizer(lacking).encode(text));
    });
  });
}
