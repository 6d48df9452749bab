import type { StreamDecoder, TokenId, Tokenizer } from './tokenizer';

/** Turns tokens into text as they come and holds back the bytes of a character until it is whole. */
export class Utf8StreamDecoder implements StreamDecoder {
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(private readonly tokens: Pick<Tokenizer, 'bytesOf'>) {}

  push(id: TokenId): string {
    return this.#utf8.decode(this.tokens.bytesOf(id), { stream: true });
  }

  /** U+FFFD for a character that was left unfinished, else nothing. */
  flush(): string {
    return this.#utf8.decode();
  }
}
