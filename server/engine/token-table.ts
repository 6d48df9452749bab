import type { StreamDecoder, TokenId } from '../tokenizer/tokenizer';
import type { TokenText } from './generation';

/** The bytes of every token, flat: made once in a worker, moved here without a copy, read without parsing. */
export interface TokenTableData {
  /** UTF-8 of all tokens, one after the other; nothing for special tokens. */
  bytes: Uint8Array<ArrayBuffer>;
  /** [vocabulary + 1] where each token begins in `bytes`. */
  offsets: Uint32Array<ArrayBuffer>;
  endTokens: TokenId[];
  firstUnusedToken: TokenId;
}

/** Gives the token table of a model file. */
export interface TokenTableSource {
  /** @throws LongviewError `modelCorrupt`, `modelUnsupported` */
  tokenTable(modelPath: string): Promise<TokenTableData>;
}

/** Writes answers out: token ids to text, never part of a UTF-8 sequence. */
export class TokenTable implements TokenText {
  readonly endTokens: readonly TokenId[];
  readonly firstUnusedToken: TokenId;

  constructor(private readonly data: TokenTableData) {
    this.endTokens = data.endTokens;
    this.firstUnusedToken = data.firstUnusedToken;
  }

  streamDecoder(): StreamDecoder {
    const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) => utf8.decode(this.bytesOf(id), { stream: true }),
      flush: () => utf8.decode(),
    };
  }

  private bytesOf(id: TokenId): Uint8Array {
    const { bytes, offsets } = this.data;
    return bytes.subarray(offsets[id] ?? bytes.length, offsets[id + 1] ?? bytes.length);
  }
}

/** Packs a vocabulary of `size` tokens. */
export function packTokenTable(
  size: number,
  bytesOf: (id: TokenId) => Uint8Array,
  special: Pick<TokenTableData, 'endTokens' | 'firstUnusedToken'>,
): TokenTableData {
  const tokens = Array.from({ length: size }, (_, id) => bytesOf(id));
  const offsets = new Uint32Array(size + 1);
  for (const [id, token] of tokens.entries()) offsets[id + 1] = (offsets[id] ?? 0) + token.length;
  const bytes = new Uint8Array(offsets[size] ?? 0);
  for (const [id, token] of tokens.entries()) bytes.set(token, offsets[id] ?? 0);
  return { bytes, offsets, endTokens: special.endTokens, firstUnusedToken: special.firstUnusedToken };
}
