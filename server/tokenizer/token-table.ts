import type { StreamDecoder, TokenId, Tokenizer } from './tokenizer';
import { Utf8StreamDecoder } from './utf8-stream-decoder';

/** What writing answers out needs of a vocabulary, as flat data that moves between threads without a copy. */
export interface TokenTableData {
  /** UTF-8 of all tokens, one after the other; nothing for special tokens. */
  bytes: Uint8Array<ArrayBuffer>;
  /** [vocabulary + 1] where each token begins in `bytes`. */
  offsets: Uint32Array<ArrayBuffer>;
  endTokens: TokenId[];
  firstUnusedToken: TokenId;
}

/** Packs the vocabulary of a tokenizer. */
export function packTokenTable(tokenizer: Tokenizer): TokenTableData {
  const { vocabSize, endTokens, firstUnusedToken } = tokenizer;
  const offsets = new Uint32Array(vocabSize + 1);
  let bytes = new Uint8Array(8 * vocabSize);
  let end = 0;
  for (let id = 0; id < vocabSize; id++) {
    const token = tokenizer.bytesOf(id);
    if (end + token.length > bytes.length) {
      const larger = new Uint8Array(2 * (end + token.length));
      larger.set(bytes);
      bytes = larger;
    }
    bytes.set(token, end);
    end += token.length;
    offsets[id + 1] = end;
  }
  return { bytes: bytes.slice(0, end), offsets, endTokens: [...endTokens], firstUnusedToken };
}

/** Turns token ids into text without the tokenizer: what a thread needs that only streams answers. */
export class TokenTable {
  readonly endTokens: readonly TokenId[];
  readonly firstUnusedToken: TokenId;

  constructor(private readonly data: TokenTableData) {
    this.endTokens = data.endTokens;
    this.firstUnusedToken = data.firstUnusedToken;
  }

  /** A decoder that never shows part of a UTF-8 sequence. */
  streamDecoder(): StreamDecoder {
    return new Utf8StreamDecoder(this);
  }

  /** @throws RangeError when there is no such token */
  bytesOf(id: TokenId): Uint8Array {
    const { bytes, offsets } = this.data;
    const [start, end] = [offsets[id], offsets[id + 1]];
    if (start === undefined || end === undefined)
      throw new RangeError(`token ${id} is not in the vocabulary`);
    return bytes.subarray(start, end);
  }
}
