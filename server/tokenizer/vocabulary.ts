import type { ByteAlphabet } from './byte-alphabet';
import type { TokenId } from './tokenizer';

/** What a token is for, with the numbers of `tokenizer.ggml.token_type`. */
export const TokenType = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

/** The tokens of a model: their texts, kinds and bytes. */
export class Vocabulary {
  /** Id behind the last token that may be produced: the rows after it only pad the embedding. */
  readonly firstUnusedToken: TokenId;
  readonly #utf8 = new TextEncoder();

  /** `texts` are written in the stand-ins of `alphabet`; `types` has a `TokenType` for each. */
  constructor(
    private readonly texts: readonly string[],
    private readonly types: ArrayLike<number>,
    private readonly alphabet: ByteAlphabet,
  ) {
    let end = texts.length;
    while (end > 0 && types[end - 1] === TokenType.unused) end--;
    this.firstUnusedToken = end;
  }

  get size(): number {
    return this.texts.length;
  }

  /** Text of each special token with its id: those that stand for themselves and never come from merges. */
  specialTokens(): Map<string, TokenId> {
    const special = new Map<string, TokenId>();
    for (let id = 0; id < this.texts.length; id++) {
      const type = this.types[id];
      const isSpecial =
        type === TokenType.control || type === TokenType.userDefined || type === TokenType.unknown;
      const text = this.texts[id] as string;
      if (isSpecial && text !== '') special.set(text, id);
    }
    return special;
  }

  /** Whether plain text may turn into this token; special and unused ones never come from it. */
  mayComeFromText(id: TokenId): boolean {
    const type = this.types[id];
    return type === TokenType.normal || type === TokenType.byte;
  }

  /**
   * UTF-8 bytes that a token adds to an answer: none for control tokens, the literal text for user-defined
   * ones, part of a character for some others.
   * @throws RangeError when there is no such token
   */
  bytesOf(id: TokenId): Uint8Array {
    const text = this.texts[id];
    if (text === undefined) throw new RangeError(`token ${id} is not in the vocabulary of ${this.size}`);
    switch (this.types[id]) {
      case TokenType.control:
      case TokenType.unknown:
      case TokenType.unused:
        return new Uint8Array(0);
      case TokenType.userDefined:
        return this.#utf8.encode(text);
      default:
        return this.#fromStandIns(text);
    }
  }

  #fromStandIns(text: string): Uint8Array {
    const bytes = new Uint8Array(text.length);
    for (let index = 0; index < text.length; index++) {
      const byte = this.alphabet.byteOfCode.get(text.charCodeAt(index));
      // Some files list added tokens as normal ones: their text is meant as it stands.
      if (byte === undefined) return this.#utf8.encode(text);
      bytes[index] = byte;
    }
    return bytes;
  }
}
