import type { TokenId } from './tokenizer';

/** Rank of a pair that has no merge: above every real rank. */
export const NO_MERGE = 0x7fffffff;

/**
 * Which pair of tokens becomes which token, and in what order of preference: the rank of a merge is its
 * place in the model's list, and the lowest rank goes first.
 */
export class MergeTable {
  /** Open addressing: rank + 1, or 0 where the slot is free. */
  readonly #slots: Int32Array;
  readonly #slotMask: number;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #merged: Int32Array;
  #size = 0;

  constructor(capacity: number) {
    // At most a quarter full: most look-ups are for pairs without a merge and should end at a free slot.
    const slotCount = 2 ** Math.ceil(Math.log2(Math.max(capacity, 1) * 4));
    this.#slots = new Int32Array(slotCount);
    this.#slotMask = slotCount - 1;
    this.#left = new Int32Array(capacity);
    this.#right = new Int32Array(capacity);
    this.#merged = new Int32Array(capacity);
  }

  /** Gives the pair the next rank. A pair that has a rank already keeps it; the new rank stays unused. */
  add(left: TokenId, right: TokenId, merged: TokenId): void {
    const rank = this.#size++;
    this.#left[rank] = left;
    this.#right[rank] = right;
    this.#merged[rank] = merged;
    let slot = slotOf(left, right) & this.#slotMask;
    for (;;) {
      const entry = (this.#slots[slot] as number) - 1;
      if (entry < 0) break;
      if (this.#left[entry] === left && this.#right[entry] === right) return;
      slot = (slot + 1) & this.#slotMask;
    }
    this.#slots[slot] = rank + 1;
  }

  /** Rank of the pair, `NO_MERGE` where it has none. */
  rankOf(left: TokenId, right: TokenId): number {
    let slot = slotOf(left, right) & this.#slotMask;
    for (;;) {
      const rank = (this.#slots[slot] as number) - 1;
      if (rank < 0) return NO_MERGE;
      if (this.#left[rank] === left && this.#right[rank] === right) return rank;
      slot = (slot + 1) & this.#slotMask;
    }
  }

  /** The token that the merge of this rank makes. */
  mergedToken(rank: number): TokenId {
    return this.#merged[rank] as number;
  }
}

function slotOf(left: TokenId, right: TokenId): number {
  const mixed = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}
