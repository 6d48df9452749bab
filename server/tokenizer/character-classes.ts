/** The kinds of characters that pre-tokenizers tell apart. */
export const CharacterClass = { other: 1, letter: 2, number: 3, space: 4, newline: 5 } as const;

const CLASS_BITS = 3;
const CLASS_MASK = (1 << CLASS_BITS) - 1;
const CODE_POINTS = 0x110000;

/** Class of a character, from what `CharacterClasses.at` returned. */
export const classOf = (character: number): number => character & CLASS_MASK;

/** Length of a character in UTF-8 bytes, from what `CharacterClasses.at` returned. */
export const bytesOf = (character: number): number => character >> CLASS_BITS;

/**
 * Classifies characters straight from UTF-8 bytes. Classes above ASCII are worked out when a character is
 * first met and remembered: one byte for each code point.
 */
export class CharacterClasses {
  readonly #ascii = Uint8Array.from({ length: 128 }, (_, code) => (1 << CLASS_BITS) | classify(code));
  readonly #known = new Uint8Array(CODE_POINTS);

  /**
   * Class and length of the character that starts at `position`, to be read with `classOf` and `bytesOf`.
   * `bytes` is valid UTF-8 and `position` the start of a character within it.
   */
  at(bytes: Uint8Array, position: number): number {
    const first = bytes[position] as number;
    return first < 0x80 ? (this.#ascii[first] as number) : this.#wide(bytes, position, first);
  }

  #wide(bytes: Uint8Array, position: number, first: number): number {
    const continuation = (offset: number) => (bytes[position + offset] as number) & 0x3f;
    let length = 2;
    let codePoint = ((first & 0x1f) << 6) | continuation(1);
    if (first >= 0xf0) {
      length = 4;
      codePoint = ((first & 0x07) << 18) | (continuation(1) << 12) | (continuation(2) << 6) | continuation(3);
    } else if (first >= 0xe0) {
      length = 3;
      codePoint = ((first & 0x0f) << 12) | (continuation(1) << 6) | continuation(2);
    }
    let known = this.#known[codePoint] as number;
    if (known === 0) {
      known = classify(codePoint);
      this.#known[codePoint] = known;
    }
    return (length << CLASS_BITS) | known;
  }
}

function classify(codePoint: number): number {
  const character = String.fromCodePoint(codePoint);
  if (character === '\n' || character === '\r') return CharacterClass.newline;
  // Not `\s`: that one counts U+FEFF as a space and leaves out U+0085.
  if (/\p{White_Space}/u.test(character)) return CharacterClass.space;
  if (/\p{L}/u.test(character)) return CharacterClass.letter;
  if (/\p{N}/u.test(character)) return CharacterClass.number;
  return CharacterClass.other;
}
