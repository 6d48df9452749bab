import assert from 'node:assert/strict';
import { LongviewError } from '../../../../server/errors';
import type { GgufValue } from '../../../../server/models/gguf/gguf-file';
import { tokenizerFromMetadata } from '../../../../server/tokenizer/from-gguf';
import { SeededRandom } from './random-text';
import { type Metadata, SPECIAL, smallVocabulary } from './small-vocabulary';

const GOOD = smallVocabulary({ pre: 'qwen2', paddingTokens: 2 });
const good = (): Metadata => new Map(GOOD);

function changed(key: string, value: GgufValue | undefined): Metadata {
  const metadata = good();
  if (value === undefined) metadata.delete(`tokenizer.ggml.${key}`);
  else metadata.set(`tokenizer.ggml.${key}`, value);
  return metadata;
}

const tokens = (): string[] => [...(good().get('tokenizer.ggml.tokens') as string[])];
const merges = (): string[] => [...(good().get('tokenizer.ggml.merges') as string[])];

function assertRefused(metadata: Metadata, code: string, message: RegExp): void {
  assert.throws(
    () => tokenizerFromMetadata(metadata),
    (error: unknown) => {
      assert.ok(error instanceof LongviewError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.ok(error.action.endsWith('.'));
      return true;
    },
  );
}

suite('tokenizer from GGUF metadata', () => {
  test('names its end tokens once each and its first token', () => {
    const all = tokens();
    const metadata = changed('bos_token_id', 3);
    metadata.set('tokenizer.ggml.eot_token_id', all.indexOf(SPECIAL.start));
    const tokenizer = tokenizerFromMetadata(metadata);
    assert.deepEqual(
      tokenizer.endTokens,
      [SPECIAL.end, SPECIAL.start, SPECIAL.endOfText].map((text) => all.indexOf(text)),
    );
    assert.equal(tokenizer.bosToken, 3);
    assert.equal(tokenizerFromMetadata(good()).bosToken, undefined);
  });

  test('a vocabulary without padding is usable to its end', () => {
    const tokenizer = tokenizerFromMetadata(smallVocabulary({ pre: 'smollm' }));
    assert.equal(tokenizer.firstUnusedToken, tokenizer.vocabSize);
  });

  test('refuses tokenizers that it does not have, by name', () => {
    assertRefused(changed('pre', 'llama-bpe'), 'modelUnsupported', /"llama-bpe".*qwen2, smollm/);
    assertRefused(changed('pre', undefined), 'modelUnsupported', /pre-tokenizer/);
    assertRefused(changed('model', 'llama'), 'modelUnsupported', /"llama"/);
    assertRefused(changed('model', undefined), 'modelUnsupported', /missing/);
  });

  test('refuses a broken vocabulary', () => {
    assertRefused(changed('tokens', undefined), 'modelCorrupt', /tokens is missing/);
    assertRefused(changed('tokens', 'abc'), 'modelCorrupt', /tokens is a text/);
    assertRefused(changed('tokens', Int32Array.of(1, 2)), 'modelCorrupt', /tokens is/);
    assertRefused(changed('tokens', []), 'modelCorrupt', /0 tokens/);
    assertRefused(changed('tokens', tokens().slice(1)), 'modelCorrupt', /token types/);
    const twice = tokens();
    twice[300] = twice[299]!;
    assertRefused(changed('tokens', twice), 'modelCorrupt', /occurs twice/);
    assertRefused(changed('token_type', undefined), 'modelCorrupt', /token_type is missing/);
    assertRefused(changed('token_type', tokens()), 'modelCorrupt', /token_type/);
  });

  test('refuses broken merges', () => {
    assertRefused(changed('merges', undefined), 'modelCorrupt', /merges is missing/);
    for (const bad of ['', ' ', 'a', 'a ', ' a', 'a  b', 'qqq zzz', 'e  ', '中 文']) {
      assertRefused(changed('merges', [...merges(), bad]), 'modelCorrupt', /merge/);
    }
  });

  test('refuses merges that would let plain text make a special or unused token', () => {
    const all = tokens();
    all[0] = '<|im_end|';
    assertRefused(
      new Map([...changed('tokens', all), ['tokenizer.ggml.merges', ['<|im_end| >']]]),
      'modelCorrupt',
      /special or unused/,
    );
    all[0] = '[PAD1';
    assertRefused(
      new Map([...changed('tokens', all), ['tokenizer.ggml.merges', ['[PAD1 ]']]]),
      'modelCorrupt',
      /special or unused/,
    );
  });

  test('refuses token ids that are none', () => {
    for (const bad of [-1, 1.5, 1e9, Number.NaN, 'x', 5n]) {
      assertRefused(changed('eos_token_id', bad), 'modelCorrupt', /eos_token_id/);
    }
    assertRefused(changed('bos_token_id', 1e9), 'modelCorrupt', /bos_token_id/);
  });

  test('refuses a vocabulary in which nothing ends an answer', () => {
    const metadata = changed('eos_token_id', undefined);
    const types = Int32Array.from(metadata.get('tokenizer.ggml.token_type') as Int32Array).fill(1);
    metadata.set('tokenizer.ggml.token_type', types);
    assertRefused(metadata, 'modelCorrupt', /ends an answer/);
  });

  test('500 random changes are accepted or refused in words', () => {
    const random = new SeededRandom(11);
    const values: GgufValue[] = [0, -1, 'x', true, 7n, [], ['a', 'b'], [true], Int32Array.of(3), [1n]];
    let refused = 0;
    for (let round = 0; round < 500; round++) {
      const metadata = good();
      const key = random.pick([...metadata.keys()]);
      const value = metadata.get(key)!;
      if (Array.isArray(value) && random.below(2) === 0) {
        const items = [...(value as string[])];
        items[random.below(items.length)] = random.pick(['', ' ', 'a b', '\ud800', 'Ġ', 'x'.repeat(1000)]);
        metadata.set(key, items);
      } else metadata.set(key, random.pick(values));
      try {
        const tokenizer = tokenizerFromMetadata(metadata);
        tokenizer.decode(tokenizer.encode('const total = 0;\n', { parseSpecial: true }));
      } catch (error) {
        assert.ok(error instanceof LongviewError, `${key}: ${String(error)}`);
        refused++;
      }
    }
    assert.ok(refused > 100, `${refused} refused`);
  });
});
