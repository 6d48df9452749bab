import { type MergeTable, NO_MERGE } from './merge-table';
import { NumberHeap } from './number-heap';
import type { TokenBuffer } from './token-buffer';

/** In `tokenOfByte`: the vocabulary has no token for this byte. */
export const NO_TOKEN = -1;

/** Up to this many bytes a plain scan for the best pair beats the heap. */
const SCAN_LIMIT_BYTES = 64;
/** Working memory for pieces up to this length is kept; longer ones get their own for the time of the call. */
const KEPT_WORKSPACE_BYTES = 4096;
/** A heap entry is `rank * POSITIONS + position`: best rank first, leftmost first within a rank. */
const POSITIONS = 2 ** 32;

/**
 * Byte-pair merges within one piece: of all neighbouring pairs the one with the lowest rank is merged, the
 * leftmost first, until no pair has a rank. Time is n log n in the length of the piece.
 */
export class PieceMerger {
  readonly #ids = new Int32Array(SCAN_LIMIT_BYTES);
  readonly #ranks = new Int32Array(SCAN_LIMIT_BYTES);
  readonly #workspace = new Workspace(KEPT_WORKSPACE_BYTES);
  /** Rank of each pair of bytes, so that the first look at a piece needs no hashing. */
  readonly #bytePairRanks = new Int32Array(0x10000);

  /** `tokenOfByte`: for each of the 256 bytes its token, or `NO_TOKEN`. */
  constructor(
    private readonly merges: MergeTable,
    private readonly tokenOfByte: Int32Array,
  ) {
    for (let pair = 0; pair < 0x10000; pair++) {
      const left = tokenOfByte[pair >> 8] as number;
      const right = tokenOfByte[pair & 0xff] as number;
      this.#bytePairRanks[pair] = merges.rankOf(left, right);
    }
  }

  /**
   * Appends the tokens of the piece `bytes[start]` to `bytes[end - 1]`. A byte that the vocabulary lacks
   * leaves nothing: SmolLM2 has no token for some control characters, and llama.cpp drops them too.
   */
  merge(bytes: Uint8Array, start: number, end: number, out: TokenBuffer): void {
    const length = end - start;
    if (length <= SCAN_LIMIT_BYTES) this.#mergeByScan(bytes, start, end, out);
    else this.#mergeByHeap(bytes, start, end, out);
  }

  #mergeByScan(bytes: Uint8Array, start: number, end: number, out: TokenBuffer): void {
    const ids = this.#ids;
    const ranks = this.#ranks;
    let count = end - start;
    for (let index = 0; index < count; index++) {
      ids[index] = this.tokenOfByte[bytes[start + index] as number] as number;
      ranks[index] = this.#bytePairRank(bytes, start + index, end);
    }
    for (;;) {
      let best = NO_MERGE;
      let at = 0;
      for (let index = 0; index < count - 1; index++) {
        const rank = ranks[index] as number;
        if (rank < best) {
          best = rank;
          at = index;
        }
      }
      if (best === NO_MERGE) break;
      const merged = this.merges.mergedToken(best);
      ids[at] = merged;
      count--;
      for (let index = at + 1; index < count; index++) {
        ids[index] = ids[index + 1] as number;
        ranks[index] = ranks[index + 1] as number;
      }
      if (at > 0) ranks[at - 1] = this.merges.rankOf(ids[at - 1] as number, merged);
      ranks[at] = at + 1 < count ? this.merges.rankOf(merged, ids[at + 1] as number) : NO_MERGE;
    }
    for (let index = 0; index < count; index++) {
      const id = ids[index] as number;
      if (id !== NO_TOKEN) out.push(id);
    }
  }

  #mergeByHeap(bytes: Uint8Array, start: number, end: number, out: TokenBuffer): void {
    const length = end - start;
    const workspace = length <= KEPT_WORKSPACE_BYTES ? this.#workspace : new Workspace(length);
    const { ids, ranks, next, previous, heap } = workspace;
    heap.clear();
    for (let index = 0; index < length; index++) {
      ids[index] = this.tokenOfByte[bytes[start + index] as number] as number;
      next[index] = index + 1;
      previous[index] = index - 1;
      setRank(workspace, index, this.#bytePairRank(bytes, start + index, end));
    }
    while (heap.size > 0) {
      const entry = heap.pop();
      const rank = Math.floor(entry / POSITIONS);
      const at = entry % POSITIONS;
      // The pair was merged away or has become another one since.
      if (ranks[at] !== rank) continue;
      const merged = this.merges.mergedToken(rank);
      const gone = next[at] as number;
      const after = next[gone] as number;
      const before = previous[at] as number;
      ids[at] = merged;
      next[at] = after;
      ranks[gone] = NO_MERGE;
      if (after < length) {
        previous[after] = at;
        setRank(workspace, at, this.merges.rankOf(merged, ids[after] as number));
      } else ranks[at] = NO_MERGE;
      if (before >= 0) setRank(workspace, before, this.merges.rankOf(ids[before] as number, merged));
    }
    for (let index = 0; index < length; index = next[index] as number) {
      const id = ids[index] as number;
      if (id !== NO_TOKEN) out.push(id);
    }
  }

  /** Rank of the bytes at `position` and behind it. */
  #bytePairRank(bytes: Uint8Array, position: number, end: number): number {
    if (position + 1 >= end) return NO_MERGE;
    const pair = ((bytes[position] as number) << 8) | (bytes[position + 1] as number);
    return this.#bytePairRanks[pair] as number;
  }
}

/** A piece as a linked list of tokens; entry i stands for what begins at byte i. */
class Workspace {
  readonly ids: Int32Array;
  /** Rank of the pair of an entry and its next one. */
  readonly ranks: Int32Array;
  readonly next: Int32Array;
  readonly previous: Int32Array;
  readonly heap: NumberHeap;

  constructor(length: number) {
    this.ids = new Int32Array(length);
    this.ranks = new Int32Array(length);
    this.next = new Int32Array(length);
    this.previous = new Int32Array(length);
    // One entry for each pair at first; a merge takes one out and puts at most two in.
    this.heap = new NumberHeap(2 * length);
  }
}

function setRank(workspace: Workspace, position: number, rank: number): void {
  workspace.ranks[position] = rank;
  if (rank !== NO_MERGE) workspace.heap.push(rank * POSITIONS + position);
}
