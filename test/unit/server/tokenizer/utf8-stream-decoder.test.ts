import assert from 'node:assert/strict';
import { tokenizerFromMetadata } from '../../../../server/tokenizer/from-gguf';
import { packTokenTable, TokenTable } from '../../../../server/tokenizer/token-table';
import { randomText, SeededRandom } from './random-text';
import { smallVocabulary } from './small-vocabulary';

suite('stream decoder', () => {
  const metadata = smallVocabulary({ pre: 'qwen2' });
  const tokenizer = tokenizerFromMetadata(metadata);
  const byteTokens = [...Array(256).keys()];

  test('shows a character only when all of its bytes have come', () => {
    for (const character of ['é', '中', '🙂', '\ufeff', '\u0301']) {
      const bytes = [...Buffer.from(character)];
      const decoder = tokenizer.streamDecoder();
      const shown = bytes.map((byte) => decoder.push(byteTokens[byte]!));
      assert.deepEqual(shown, [...bytes.slice(1).map(() => ''), character]);
      assert.equal(decoder.flush(), '');
    }
  });

  test('a dangling part becomes one U+FFFD at the end', () => {
    const decoder = tokenizer.streamDecoder();
    assert.equal(decoder.push(byteTokens[0xf0]!), '');
    assert.equal(decoder.push(byteTokens[0x9f]!), '');
    assert.equal(decoder.flush(), '\ufffd');
    assert.equal(decoder.flush(), '');
  });

  test('a part that something else follows becomes U+FFFD at once', () => {
    const decoder = tokenizer.streamDecoder();
    assert.equal(decoder.push(byteTokens[0xe4]!), '');
    assert.equal(decoder.push(byteTokens[0x41]!), '\ufffdA');
    assert.equal(decoder.push(byteTokens[0x80]!), '\ufffd');
  });

  test('the pushes together are what decode gives, for 2,000 random texts and byte soups', () => {
    const random = new SeededRandom(5);
    for (let round = 0; round < 2000; round++) {
      const ids =
        round % 2 === 0
          ? [...tokenizer.encode(randomText(random, 12))]
          : Array.from({ length: 1 + random.below(12) }, () => random.below(tokenizer.firstUnusedToken));
      const decoder = tokenizer.streamDecoder();
      const streamed = ids.map((id) => decoder.push(id)).join('') + decoder.flush();
      assert.equal(streamed, tokenizer.decode(ids), JSON.stringify(ids));
    }
  });

  test('a packed token table streams the same text and refuses ids that are none', () => {
    const table = new TokenTable(packTokenTable(tokenizer));
    assert.deepEqual(table.endTokens, tokenizer.endTokens);
    assert.equal(table.firstUnusedToken, tokenizer.firstUnusedToken);
    for (let id = 0; id < tokenizer.vocabSize; id++) {
      assert.deepEqual([...table.bytesOf(id)], [...tokenizer.bytesOf(id)], `token ${id}`);
    }
    const text = 'größe 🙂 <|im_end|> 中文\n';
    const decoder = table.streamDecoder();
    const ids = [...tokenizer.encode(text)];
    assert.equal(ids.map((id) => decoder.push(id)).join('') + decoder.flush(), text);
    assert.throws(() => decoder.push(tokenizer.vocabSize), RangeError);
    assert.throws(() => decoder.push(-1), RangeError);
  });
});
