import type { TokenId } from './tokenizer';

/**
 * Token ids by text. Unlike a `Map` it is asked for parts of a string in place, so that reading 150,000
 * merges makes no strings.
 */
export class TokenIndex {
  /** Open addressing: id + 1, or 0 where the slot is free. */
  readonly #slots: Int32Array;
  readonly #slotMask: number;
  /** First token whose text another one has too. */
  readonly repeatedText: string | undefined;

  constructor(private readonly texts: readonly string[]) {
    // At most half full.
    const slotCount = 2 ** Math.ceil(Math.log2(Math.max(texts.length, 1) * 2));
    this.#slots = new Int32Array(slotCount);
    this.#slotMask = slotCount - 1;
    for (let id = 0; id < texts.length; id++) {
      const text = texts[id] as string;
      const slot = this.#slotOf(text, 0, text.length, text.length);
      if (this.#slots[slot] === 0) this.#slots[slot] = id + 1;
      else this.repeatedText ??= text;
    }
  }

  find(text: string): TokenId | undefined {
    return this.findPart(text, 0, text.length);
  }

  /** The token that reads like `source.slice(start, end)`. */
  findPart(source: string, start: number, end: number): TokenId | undefined {
    return this.findAround(source, start, end, end);
  }

  /** The token that reads like `source.slice(start, end)` without the character at `gap`. */
  findAround(source: string, start: number, end: number, gap: number): TokenId | undefined {
    const entry = this.#slots[this.#slotOf(source, start, end, gap)] as number;
    return entry === 0 ? undefined : entry - 1;
  }

  /** The slot that holds this text, or the free one where it belongs. */
  #slotOf(source: string, start: number, end: number, gap: number): number {
    let hash = 0x811c9dc5 | 0;
    for (let index = start; index < end; index++) {
      if (index !== gap) hash = Math.imul(hash ^ source.charCodeAt(index), 0x01000193);
    }
    let slot = (hash ^ (hash >>> 15)) & this.#slotMask;
    for (;;) {
      const entry = this.#slots[slot] as number;
      if (entry === 0 || reads(this.texts[entry - 1] as string, source, start, end, gap)) return slot;
      slot = (slot + 1) & this.#slotMask;
    }
  }
}

function reads(text: string, source: string, start: number, end: number, gap: number): boolean {
  const length = gap < end ? end - start - 1 : end - start;
  if (text.length !== length) return false;
  let position = start;
  for (let index = 0; index < length; index++) {
    if (position === gap) position++;
    if (text.charCodeAt(index) !== source.charCodeAt(position)) return false;
    position++;
  }
  return true;
}
