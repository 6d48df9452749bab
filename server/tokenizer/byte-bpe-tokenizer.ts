import { DEFAULT_CACHE_LIMITS, LONGEST_CACHED_BYTES, PieceCache, pieceHash } from './piece-cache';
import { NO_TOKEN, type PieceMerger } from './piece-merger';
import type { PreTokenizer } from './pre-tokenizers';
import type { SpecialTokens } from './special-tokens';
import { TokenBuffer } from './token-buffer';
import type { StreamDecoder, TokenId, Tokenizer } from './tokenizer';
import { Utf8StreamDecoder } from './utf8-stream-decoder';
import type { Vocabulary } from './vocabulary';

export interface ByteBpeParts {
  vocabulary: Vocabulary;
  preTokenizer: PreTokenizer;
  merger: PieceMerger;
  /** For each of the 256 bytes its token, or `NO_TOKEN`. */
  tokenOfByte: Int32Array;
  specialTokens: SpecialTokens;
  bosToken: TokenId | undefined;
  endTokens: readonly TokenId[];
}

/** Source code has about this many bytes a token: the first guess at the room that ids need. */
const BYTES_PER_TOKEN = 3;

/**
 * Byte-level byte-pair encoding. Text is taken as it stands, without Unicode normalization, as llama.cpp
 * does; a lone surrogate counts as U+FFFD. Time is linear in the text but for single pieces (runs of letters
 * or symbols), where it is n log n. Holds at most about 20 MB beside the vocabulary.
 */
export class ByteBpeTokenizer implements Tokenizer {
  readonly #cache = new PieceCache(DEFAULT_CACHE_LIMITS);
  readonly #utf8 = new TextEncoder();

  constructor(private readonly parts: ByteBpeParts) {}

  get vocabSize(): number {
    return this.parts.vocabulary.size;
  }

  get bosToken(): TokenId | undefined {
    return this.parts.bosToken;
  }

  get endTokens(): readonly TokenId[] {
    return this.parts.endTokens;
  }

  get firstUnusedToken(): TokenId {
    return this.parts.vocabulary.firstUnusedToken;
  }

  bytesOf(id: TokenId): Uint8Array {
    return this.parts.vocabulary.bytesOf(id);
  }

  encode(text: string, options: { parseSpecial?: boolean } = {}): Int32Array {
    const out = new TokenBuffer(Math.ceil(text.length / BYTES_PER_TOKEN));
    if (options.parseSpecial) {
      this.parts.specialTokens.split(
        text,
        (stretch) => this.#encodeText(stretch, out),
        (id) => out.push(id),
      );
    } else this.#encodeText(text, out);
    return out.toArray();
  }

  /** @throws RangeError for an id outside the vocabulary */
  decode(ids: ArrayLike<TokenId>): string {
    const chunks = Array.from(ids, (id) => this.parts.vocabulary.bytesOf(id));
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(chunks));
  }

  streamDecoder(): StreamDecoder {
    return new Utf8StreamDecoder(this.parts.vocabulary);
  }

  #encodeText(text: string, out: TokenBuffer): void {
    const { preTokenizer, tokenOfByte } = this.parts;
    const bytes = this.#utf8.encode(text);
    let start = 0;
    while (start < bytes.length) {
      const end = preTokenizer.pieceEnd(bytes, start, bytes.length);
      if (end === start + 1) {
        const id = tokenOfByte[bytes[start] as number] as number;
        if (id !== NO_TOKEN) out.push(id);
      } else this.#encodePiece(bytes, start, end, out);
      start = end;
    }
  }

  #encodePiece(bytes: Uint8Array, start: number, end: number, out: TokenBuffer): void {
    if (end - start > LONGEST_CACHED_BYTES) {
      this.parts.merger.merge(bytes, start, end, out);
      return;
    }
    const hash = pieceHash(bytes, start, end);
    if (this.#cache.lookUp(bytes, start, end, hash, out)) return;
    const from = out.length;
    this.parts.merger.merge(bytes, start, end, out);
    this.#cache.add(bytes, start, end, hash, out, from);
  }
}
