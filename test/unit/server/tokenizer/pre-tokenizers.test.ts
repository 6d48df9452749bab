import assert from 'node:assert/strict';
import { PRE_TOKENIZERS, type PreTokenizer } from '../../../../server/tokenizer/pre-tokenizers';
import { randomText, SeededRandom } from './random-text';
import { referencePieces } from './reference-tokenizer';

function cut(preTokenizer: PreTokenizer, text: string): string[] {
  const bytes = new TextEncoder().encode(text);
  const pieces: string[] = [];
  let start = 0;
  while (start < bytes.length) {
    const end = preTokenizer.pieceEnd(bytes, start, bytes.length);
    assert.ok(end > start && end <= bytes.length, `piece ${start} to ${end} of ${bytes.length}`);
    pieces.push(Buffer.from(bytes.subarray(start, end)).toString());
    start = end;
  }
  return pieces;
}

const create = (name: string): PreTokenizer => PRE_TOKENIZERS.get(name)!();

for (const name of PRE_TOKENIZERS.keys()) {
  suite(`pre-tokenizer ${name}`, () => {
    test('cuts 4,000 random texts like the regular expression', () => {
      const preTokenizer = create(name);
      const random = new SeededRandom(20_26);
      for (let round = 0; round < 4000; round++) {
        const text = randomText(random, 1 + random.below(30));
        assert.deepEqual(cut(preTokenizer, text), referencePieces(name, text), JSON.stringify(text));
      }
    });

    test('a text of one very long piece', () => {
      for (const unit of ['a', '中', '=', ' ', '\u00a0', '\n', ' \n', '🙂']) {
        const text = unit.repeat(100_000);
        assert.deepEqual(cut(create(name), text), [text], JSON.stringify(unit));
      }
    });
  });
}

suite('pre-tokenizers side by side', () => {
  const cases: [text: string, qwen2: string[], smollm: string[]][] = [
    ['return x;', ['return', ' x', ';'], ['return', ' x', ';']],
    ["it'S don't", ['it', "'S", ' don', "'t"], ['it', "'", 'S', ' don', "'t"]],
    ['(foo', ['(foo'], ['(', 'foo']],
    ['a  b', ['a', ' ', ' b'], ['a', ' ', ' b']],
    ['x   42', ['x', '  ', ' ', '4', '2'], ['x', '   ', '4', '2']],
    ['};\n\n  x', ['};\n\n', ' ', ' x'], ['};', '\n\n ', ' x']],
    ['a \n\t b', ['a', ' \n', '\t', ' b'], ['a', ' \n\t', ' b']],
    ['\ufeffusing', ['\ufeffusing'], ['\ufeff', 'using']],
    ['a\u0085b', ['a', '\u0085b'], ['a', '\u0085', 'b']],
  ];
  for (const [text, qwen2, smollm] of cases) {
    test(JSON.stringify(text), () => {
      assert.deepEqual(cut(create('qwen2'), text), qwen2);
      assert.deepEqual(cut(create('smollm'), text), smollm);
    });
  }
});
