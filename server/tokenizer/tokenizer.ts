/** Index into a model's vocabulary. */
export type TokenId = number;

/** Exact text to token ids and back, with the model's own vocabulary. */
export interface Tokenizer {
  readonly vocabSize: number;
  readonly bosToken: TokenId | undefined;
  /** Tokens that end an answer (end of turn, end of text). */
  readonly endTokens: readonly TokenId[];
  /** Ids that must never be produced: padding rows of the embedding past the last real token. */
  readonly firstUnusedToken: TokenId;

  /**
   * Token ids of `text`. Special tokens written in the text (`<|im_end|>`) are recognised only with
   * `parseSpecial`; repository text is always encoded without it, so that a file cannot end the turn.
   */
  encode(text: string, options?: { parseSpecial?: boolean }): Int32Array;

  /** Text of the ids; special tokens are left out. Invalid UTF-8 becomes U+FFFD. */
  decode(ids: ArrayLike<TokenId>): string;

  /** UTF-8 bytes that a token adds to a text: none for special tokens, part of a character for some others. */
  bytesOf(id: TokenId): Uint8Array;

  /** A decoder for a stream of tokens that never shows part of a UTF-8 sequence. */
  streamDecoder(): StreamDecoder;
}

export interface StreamDecoder {
  /** Text that is complete after this token; may be empty. */
  push(id: TokenId): string;
  /** What is left at the end. */
  flush(): string;
}
