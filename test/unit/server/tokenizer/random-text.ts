/** A seeded source of numbers: the same ones in every run. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return (this.#state >>> 8) % limit;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** Characters and scraps at which tokenizers go wrong. */
const SCRAPS = [
  ...Array.from('abcdefghijklmnopqrstuvwxyzETSR'),
  ...[' ', ' ', ' ', '  ', '    ', '\n', '\n\n', '\r\n', '\r', '\t', '\v', '\f'],
  ...["'", "'s", "'S", "'re", "'LL", "'Ve", "''", '’'],
  ...['.', ',', ';', '{', '}', '(', ')', '_', '=', '==', '//', '/*', '<|', '|>', '<|im_end|>', '"', '\\'],
  ...['0', '1', '23', '½', '٣', 'Ⅷ', '𝟘'],
  ...['é', 'e\u0301', 'ß', 'ſ', 'İ', 'привет', 'ש', 'م', 'ا', '中文', 'の', '한국', 'ไทย', '𝒜', '𠮷'],
  ...['🙂', '👩‍💻', '\u200d', '\ufe0f', '🇩🇪', '\u0301', '\u20dd'],
  ...[
    '\u0000',
    '\u0001',
    '\u007f',
    '\u0085',
    '\u00a0',
    '\u00ad',
    '\u1680',
    '\u2028',
    '\u202e',
    '\u3000',
    '\ufeff',
  ],
  ...['\ud800', '\udc00', '\ufffd', '\uffff', '\ue000', '\u{10ffff}', '\u{40000}'],
  ...['return ', 'value', ' total', 'const ', 'the sum', 'number'],
];

export function randomText(random: SeededRandom, scraps: number): string {
  return Array.from({ length: scraps }, () => random.pick(SCRAPS)).join('');
}
