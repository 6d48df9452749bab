import type { GgufValue } from '../../../../server/models/gguf/gguf-file';
import { createByteAlphabet } from '../../../../server/tokenizer/byte-alphabet';

export type Metadata = Map<string, GgufValue>;

export interface SmallVocabularyOptions {
  pre: 'qwen2' | 'smollm';
  /** Bytes without a token, as some are in SmolLM2. */
  missingBytes?: readonly number[];
  /** Rows that only pad the embedding. */
  paddingTokens?: number;
}

export const SPECIAL = { endOfText: '<|endoftext|>', start: '<|im_start|>', end: '<|im_end|>' } as const;
export const USER_DEFINED = '<tool_call>';

const MERGE_COUNT = 300;
const CORPUS = `
export function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
// The sum of the values isn't the value of the sum; don't ask why. We're adding, they'll see.
class Reader { private readonly lines: string[] = []; constructor(readonly source: string) {} }
if (this.total === other.total && !(value >= 0x10)) { return { ok: false, value: null }; }
größe naïve café 中文代码 日本語の変数 привет мир שלום 🙂🙂 👩‍💻
====== ------ //////        \t\t\t\n\n\n
`;

/** Metadata of a tokenizer with the 256 bytes, 300 merges learnt from a short text, and special tokens. */
export function smallVocabulary({
  pre,
  missingBytes = [],
  paddingTokens = 0,
}: SmallVocabularyOptions): Metadata {
  const { charOfByte } = createByteAlphabet();
  const tokens = charOfByte.filter((_, byte) => !missingBytes.includes(byte));
  const merges = learnMerges(
    [...Buffer.from(CORPUS)].map((byte) => charOfByte[byte]!).filter((char) => tokens.includes(char)),
  );
  const known = new Set(tokens);
  for (const [left, right] of merges) known.add(left + right);
  const normal = [...known];
  const padding = Array.from({ length: paddingTokens }, (_, index) => `[PAD${index}]`);
  const all = [...normal, ...Object.values(SPECIAL), USER_DEFINED, ...padding];
  const types = [...normal.map(() => 1), ...Object.values(SPECIAL).map(() => 3), 4, ...padding.map(() => 5)];
  return new Map<string, GgufValue>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', pre],
    ['tokenizer.ggml.tokens', all],
    ['tokenizer.ggml.token_type', Int32Array.from(types)],
    ['tokenizer.ggml.merges', merges.map((pair) => pair.join(' '))],
    ['tokenizer.ggml.eos_token_id', all.indexOf(SPECIAL.end)],
  ]);
}

/** The commonest neighbours first, as in training, but without cutting the text into pieces. */
function learnMerges(symbols: string[]): [string, string][] {
  const merges: [string, string][] = [];
  let current = symbols;
  while (merges.length < MERGE_COUNT) {
    const counts = new Map<string, number>();
    for (let i = 0; i + 1 < current.length; i++) {
      const pair = `${current[i]!} ${current[i + 1]!}`;
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    const best = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
    const [left, right] = best.split(' ') as [string, string];
    merges.push([left, right]);
    const next: string[] = [];
    for (let i = 0; i < current.length; i++) {
      if (current[i] === left && current[i + 1] === right) {
        next.push(left + right);
        i++;
      } else next.push(current[i]!);
    }
    current = next;
  }
  return merges;
}
