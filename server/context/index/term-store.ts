import { type FileTerms, sizeOf } from './file-terms';

/** A power of two of words, so that a reference splits into the segment and the place in it by its bits. */
export const SEGMENT_WORDS = 1 << 20;
const SEGMENT_BITS = 20;
const PLACE_MASK = SEGMENT_WORDS - 1;

/** Refers to no terms. */
export const NO_TERMS = -1;
/** Freed words, as a share of all, from which on moving the others together pays. */
const MOST_FREED_SHARE = 0.25;

/**
 * The terms of all files, one after the other in few large arrays. What is freed is only counted, since a run that is
 * being looked through or saved must stay as it is; once much is freed, a new store is made of what is left.
 */
export class TermStore {
  private readonly segments: Int32Array[] = [];
  /** Words used of the last segment. */
  private used = SEGMENT_WORDS;
  private freedWords = 0;

  /** The terms that a saved index had, in segments as `SegmentLayout` lays them out. */
  static of(segments: readonly Int32Array[]): TermStore {
    const store = new TermStore();
    store.segments.push(...segments);
    return store;
  }

  /** @returns the reference by which the terms are found */
  add(words: Int32Array, start = 0, end = words.length): number {
    const size = end - start;
    if (this.used + size > SEGMENT_WORDS) {
      this.segments.push(new Int32Array(SEGMENT_WORDS));
      this.used = 0;
    }
    const last = this.segments.length - 1;
    this.segments[last]?.set(
      start === 0 && end === words.length ? words : words.subarray(start, end),
      this.used,
    );
    const reference = last * SEGMENT_WORDS + this.used;
    this.used += size;
    return reference;
  }

  /** The array that holds these terms; they start at `placeOf`. */
  wordsOf(reference: number): Int32Array {
    return this.segments[reference >>> SEGMENT_BITS] as Int32Array;
  }

  placeOf(reference: number): number {
    return reference & PLACE_MASK;
  }

  sizeOf(reference: number): number {
    return sizeOf(this.wordsOf(reference), this.placeOf(reference));
  }

  /** The terms themselves; what is written there is written in the store. */
  view(reference: number): FileTerms {
    const start = this.placeOf(reference);
    return this.wordsOf(reference).subarray(start, start + this.sizeOf(reference));
  }

  /** Counts the terms as gone. */
  free(reference: number): void {
    if (reference !== NO_TERMS) this.freedWords += this.sizeOf(reference);
  }

  /** Room that is taken, freed or not. */
  get words(): number {
    return this.segments.reduce((sum, segment) => sum + segment.length, 0);
  }

  get isWasteful(): boolean {
    return this.freedWords > SEGMENT_WORDS && this.freedWords > this.words * MOST_FREED_SHARE;
  }
}

/** Where terms lie when they follow each other in segments: none lies across the end of one. */
export class SegmentLayout {
  private next = 0;

  /** Words from the start of the first segment to the end of the last terms. */
  get totalWords(): number {
    return this.next;
  }

  /** The reference of the terms that come next. */
  place(sizeWords: number): number {
    const left = SEGMENT_WORDS - (this.next & PLACE_MASK);
    if (sizeWords > left) this.next += left;
    const reference = this.next;
    this.next += sizeWords;
    return reference;
  }
}
