import { HASH_BYTES } from '../index/index-table';
import type { ScannedFile, ScanRequest } from './scan-files';

/** Files for a scan thread to read. */
export interface ScanBatch {
  files: readonly ScanRequest[];
  mostTerms: number;
  /** Memory for the terms, which goes back and forth instead of being garbage a thousand times. */
  room?: ArrayBuffer | undefined;
}

/** What came of a batch, a column each: arrays move between threads without being copied. */
export interface ScannedBatch {
  states: Uint8Array;
  /** Size and time of each file in turn. */
  stamps: Float64Array;
  /** One after the other; zeros where a file holds no text. */
  hashes: Uint8Array;
  /** Where the terms of each file end in `terms`. */
  ends: Uint32Array;
  terms: Int32Array;
}

const FIRST_WORDS = 1 << 15;

/** Gathers what is found of the files of one batch, in their order. */
export class BatchWriter {
  private readonly states: Uint8Array;
  private readonly stamps: Float64Array;
  private readonly hashes: Uint8Array;
  private readonly ends: Uint32Array;
  private terms: Int32Array;
  private written = 0;
  private words = 0;

  constructor(files: number, room = new ArrayBuffer(FIRST_WORDS * Int32Array.BYTES_PER_ELEMENT)) {
    this.terms = new Int32Array(room);
    this.states = new Uint8Array(files);
    this.stamps = new Float64Array(files * 2);
    this.hashes = new Uint8Array(files * HASH_BYTES);
    this.ends = new Uint32Array(files);
  }

  add({ state, stamp, text }: ScannedFile): void {
    const at = this.written++;
    this.states[at] = state;
    this.stamps[2 * at] = stamp.sizeBytes;
    this.stamps[2 * at + 1] = stamp.mtimeMs;
    if (text) {
      this.hashes.set(text.hash, at * HASH_BYTES);
      this.makeRoom(text.terms.length);
      this.terms.set(text.terms, this.words);
      this.words += text.terms.length;
    }
    this.ends[at] = this.words;
  }

  finish(): ScannedBatch {
    const { states, stamps, hashes, ends } = this;
    return { states, stamps, hashes, ends, terms: this.terms.subarray(0, this.words) };
  }

  private makeRoom(more: number): void {
    if (this.words + more <= this.terms.length) return;
    const larger = new Int32Array(Math.max(this.terms.length * 2, this.words + more));
    larger.set(this.terms);
    this.terms = larger;
  }
}

export function* filesOf({ states, stamps, hashes, ends, terms }: ScannedBatch): Generator<ScannedFile> {
  for (let at = 0; at < states.length; at++) {
    const start = at === 0 ? 0 : (ends[at - 1] as number);
    const end = ends[at] as number;
    const hash = hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
    yield {
      state: states[at] as number,
      stamp: { sizeBytes: stamps[2 * at] as number, mtimeMs: stamps[2 * at + 1] as number },
      text: end > start ? { hash, terms: terms.subarray(start, end) } : undefined,
    };
  }
}

export const buffersOf = ({ states, stamps, hashes, ends, terms }: ScannedBatch): ArrayBuffer[] =>
  [states, stamps, hashes, ends, terms].map((column) => column.buffer as ArrayBuffer);
