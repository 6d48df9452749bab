import { PackedTexts } from './packed-texts';
import type { TokenId } from './tokenizer';

/**
 * Token ids by text. Unlike a `Map` it is asked for parts of a text in place, so that reading 150,000 merges
 * makes no strings.
 */
export class TokenIndex {
  readonly #texts: PackedTexts;
  /** Open addressing: id + 1, or 0 where the slot is free. */
  readonly #slots: Int32Array;
  readonly #slotMask: number;
  /** First token whose text an earlier one has too. */
  readonly repeatedToken: TokenId | undefined;

  constructor(texts: readonly string[]) {
    this.#texts = new PackedTexts(texts);
    // At most half full.
    const slotCount = 2 ** Math.ceil(Math.log2(Math.max(texts.length, 1) * 2));
    this.#slots = new Int32Array(slotCount);
    this.#slotMask = slotCount - 1;
    const { codes, starts } = this.#texts;
    for (let id = 0; id < texts.length; id++) {
      const end = starts[id + 1] as number;
      const slot = this.#slotOf(codes, starts[id] as number, end, end);
      if (this.#slots[slot] === 0) this.#slots[slot] = id + 1;
      else this.repeatedToken ??= id;
    }
  }

  find(text: string): TokenId | undefined {
    return this.findPart(new PackedTexts([text]).codes, 0, text.length);
  }

  /** The token that reads like the UTF-16 codes `start` to `end - 1` without the one at `gap`, if any. */
  findPart(codes: Uint16Array, start: number, end: number, gap = end): TokenId | undefined {
    const entry = this.#slots[this.#slotOf(codes, start, end, gap)] as number;
    return entry === 0 ? undefined : entry - 1;
  }

  /** The slot that holds this text, or the free one where it belongs. */
  #slotOf(codes: Uint16Array, start: number, end: number, gap: number): number {
    let hash = 0x811c9dc5 | 0;
    for (let index = start; index < end; index++) {
      if (index !== gap) hash = Math.imul(hash ^ (codes[index] as number), 0x01000193);
    }
    let slot = (hash ^ (hash >>> 15)) & this.#slotMask;
    for (;;) {
      const entry = this.#slots[slot] as number;
      if (entry === 0 || this.#reads(entry - 1, codes, start, end, gap)) return slot;
      slot = (slot + 1) & this.#slotMask;
    }
  }

  #reads(id: TokenId, codes: Uint16Array, start: number, end: number, gap: number): boolean {
    const { codes: own, starts } = this.#texts;
    const ownEnd = starts[id + 1] as number;
    let position = start;
    for (let index = starts[id] as number; index < ownEnd; index++) {
      if (position === gap) position++;
      if (position >= end || own[index] !== codes[position]) return false;
      position++;
    }
    return position === end || (position === gap && position + 1 === end);
  }
}
