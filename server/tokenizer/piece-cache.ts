import type { TokenBuffer } from './token-buffer';

/** Longer pieces are rare and seldom come twice. */
export const LONGEST_CACHED_BYTES = 256;

export interface PieceCacheLimits {
  /** Pieces kept at most. */
  entries: number;
  /** Bytes of text kept at most; tokens take up to four times as much. */
  textBytes: number;
}

/** About 12 MB: enough for every distinct piece of some 20 MB of source. */
export const DEFAULT_CACHE_LIMITS: PieceCacheLimits = { entries: 1 << 17, textBytes: 2 << 20 };

/**
 * Tokens of pieces met before. Keys are bytes in one arena, so that a look-up makes no string and a kept
 * piece holds on to no file. When a limit is reached the cache starts afresh.
 */
export class PieceCache {
  /** Open addressing: entry + 1, or 0 where the slot is free. */
  readonly #slots: Int32Array;
  readonly #slotMask: number;
  readonly #hashes: Int32Array;
  /** Entry i has `text[textStart[i]]` to `text[textStart[i + 1] - 1]`; likewise its tokens. */
  readonly #textStart: Int32Array;
  readonly #tokenStart: Int32Array;
  readonly #text: Uint8Array;
  readonly #tokens: Int32Array;
  #size = 0;

  constructor(private readonly limits: PieceCacheLimits) {
    // At most half full.
    const slotCount = 2 ** Math.ceil(Math.log2(limits.entries * 2));
    this.#slots = new Int32Array(slotCount);
    this.#slotMask = slotCount - 1;
    this.#hashes = new Int32Array(limits.entries);
    this.#textStart = new Int32Array(limits.entries + 1);
    this.#tokenStart = new Int32Array(limits.entries + 1);
    this.#text = new Uint8Array(limits.textBytes);
    // A piece never has more tokens than bytes.
    this.#tokens = new Int32Array(limits.textBytes);
  }

  /** Pieces held now. */
  get size(): number {
    return this.#size;
  }

  /** Appends the piece's tokens to `out`; false when it is not known. */
  lookUp(bytes: Uint8Array, start: number, end: number, hash: number, out: TokenBuffer): boolean {
    let slot = hash & this.#slotMask;
    for (;;) {
      const entry = (this.#slots[slot] as number) - 1;
      if (entry < 0) return false;
      if (this.#hashes[entry] === hash && this.#holds(entry, bytes, start, end)) {
        const first = this.#tokenStart[entry] as number;
        out.pushRange(this.#tokens, first, this.#tokenStart[entry + 1] as number);
        return true;
      }
      slot = (slot + 1) & this.#slotMask;
    }
  }

  /** Keeps the tokens of a piece that is not in the cache yet: those of `tokens` from index `from` on. */
  add(bytes: Uint8Array, start: number, end: number, hash: number, tokens: TokenBuffer, from: number): void {
    const length = end - start;
    if (length > this.limits.textBytes) return;
    const isFull =
      this.#size === this.limits.entries ||
      (this.#textStart[this.#size] as number) + length > this.limits.textBytes;
    if (isFull) this.#clear();
    const entry = this.#size++;
    const textStart = this.#textStart[entry] as number;
    for (let index = 0; index < length; index++) {
      this.#text[textStart + index] = bytes[start + index] as number;
    }
    this.#textStart[entry + 1] = textStart + length;
    this.#tokenStart[entry + 1] = tokens.copyTo(this.#tokens, this.#tokenStart[entry] as number, from);
    this.#hashes[entry] = hash;
    let slot = hash & this.#slotMask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#slotMask;
    this.#slots[slot] = entry + 1;
  }

  #holds(entry: number, bytes: Uint8Array, start: number, end: number): boolean {
    const textStart = this.#textStart[entry] as number;
    const length = end - start;
    if ((this.#textStart[entry + 1] as number) - textStart !== length) return false;
    for (let index = 0; index < length; index++) {
      if (this.#text[textStart + index] !== bytes[start + index]) return false;
    }
    return true;
  }

  #clear(): void {
    this.#slots.fill(0);
    this.#size = 0;
  }
}

/** Hash of `bytes[start]` to `bytes[end - 1]` for the cache: FNV-1a with a final mix. */
export function pieceHash(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let index = start; index < end; index++) {
    hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193);
  }
  return hash ^ (hash >>> 15);
}
