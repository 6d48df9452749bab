import { type FileTerms, sizeOf } from './file-terms';
import { SegmentFile } from './segment-file';

/** A power of two of words, so that a reference splits into the segment and the place in it by its bits. */
export const SEGMENT_WORDS = 1 << 20;
const SEGMENT_BITS = 20;
const PLACE_MASK = SEGMENT_WORDS - 1;

/** Refers to no terms. */
export const NO_TERMS = -1;
/** Freed terms, as a share of all, from which on moving the others together pays. */
const MOST_FREED_SHARE = 0.25;
const FEWEST_FREED = 64;
/** Segments read from disk that are kept: files are looked through nearly in the order in which they lie. */
const MOST_READ = 3;

/** Words of a segment, or where they lie on disk. */
type Segment = Int32Array | SegmentPlace;

export interface SegmentPlace {
  file: SegmentFile;
  startBytes: number;
  words: number;
}

/**
 * The terms of all files, one after the other in few large segments, of which only the last is always in memory. What is
 * freed is only counted, since terms that are being looked through or saved must stay as they are; once much is freed, a
 * new store is made of what is left.
 */
export class TermStore {
  private readonly segments: Segment[] = [];
  /** Segments that were read from disk, the one used last at the end. */
  private readonly inMemory = new Map<number, Int32Array>();
  /** Words used of the last segment. */
  private used = SEGMENT_WORDS;
  private added = 0;
  private freed = 0;
  private spill: SegmentFile | undefined;

  /** @param folder where segments that are full are put; without one they stay in memory */
  constructor(private readonly folder?: string) {}

  /** The terms that a saved index had, in segments as `SegmentLayout` lays them out. */
  static of(segments: readonly SegmentPlace[], runs: number, folder?: string): TermStore {
    const store = new TermStore(folder);
    store.segments.push(...segments);
    store.added = runs;
    return store;
  }

  /** @returns the reference by which the terms are found */
  add(terms: FileTerms): number {
    if (this.used + terms.length > SEGMENT_WORDS) this.startSegment();
    const last = this.segments.length - 1;
    (this.segments[last] as Int32Array).set(terms, this.used);
    const reference = last * SEGMENT_WORDS + this.used;
    this.used += terms.length;
    this.added++;
    return reference;
  }

  /** The array that holds these terms, until other segments are asked for; they start at `placeOf`. */
  wordsOf(reference: number): Int32Array {
    const number = reference >>> SEGMENT_BITS;
    const segment = this.segments[number];
    if (segment instanceof Int32Array) return segment;
    if (!segment) throw new RangeError(`there is no segment ${number} of terms`);
    return this.inMemory.get(number) ?? this.read(number, segment);
  }

  placeOf(reference: number): number {
    return reference & PLACE_MASK;
  }

  sizeOf(reference: number): number {
    return sizeOf(this.wordsOf(reference), this.placeOf(reference));
  }

  /** The terms themselves, until others are asked for. */
  view(reference: number): FileTerms {
    const words = this.wordsOf(reference);
    const start = this.placeOf(reference);
    return words.subarray(start, start + sizeOf(words, start));
  }

  /** Counts the terms as gone. */
  free(reference: number): void {
    if (reference !== NO_TERMS) this.freed++;
  }

  get isWasteful(): boolean {
    return this.freed > FEWEST_FREED && this.freed > this.added * MOST_FREED_SHARE;
  }

  /** Segments, in memory or on disk. */
  get size(): number {
    return this.segments.length;
  }

  /** Keeps the files open that the terms are in: for who goes on with them when their owner does not. */
  retain(): { release: () => void } {
    const files = this.files();
    for (const file of files) file.retain();
    return {
      release: () => {
        for (const file of files) file.release();
      },
    };
  }

  /** Lets go of the files: unless somebody retains them, the terms cannot be read any more. */
  release(): void {
    for (const file of this.files()) file.release();
  }

  private files(): Set<SegmentFile> {
    const files = new Set(this.spill ? [this.spill] : []);
    for (const segment of this.segments) if (!(segment instanceof Int32Array)) files.add(segment.file);
    return files;
  }

  private startSegment(): void {
    const last = this.segments.length - 1;
    const full = this.segments[last];
    // Its memory is used for the next one.
    const isFree = full instanceof Int32Array && this.putOnDisk(last, full);
    this.segments.push(isFree ? full.fill(0) : new Int32Array(SEGMENT_WORDS));
    this.used = 0;
  }

  /** False where it stays in memory. */
  private putOnDisk(number: number, words: Int32Array): boolean {
    if (this.folder === undefined) return false;
    try {
      this.spill ??= SegmentFile.inFolder(this.folder);
      const startBytes = this.spill.append(words);
      this.segments[number] = { file: this.spill, startBytes, words: words.length };
      return true;
    } catch {
      // A full disk costs memory, not the answer.
      return false;
    }
  }

  private read(number: number, { file, startBytes, words }: SegmentPlace): Int32Array {
    const [oldest] = this.inMemory;
    const reused = this.inMemory.size >= MOST_READ && oldest ? oldest : undefined;
    if (reused) this.inMemory.delete(reused[0]);
    const room = reused?.[1] ?? new Int32Array(SEGMENT_WORDS);
    file.read(startBytes, room.subarray(0, words));
    this.inMemory.set(number, room);
    return room;
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
