import { NO_TERMS, SEGMENT_WORDS, SegmentLayout, type TermStore } from './term-store';

/** A sha256. */
export const HASH_BYTES = 32;

/** What is kept of files from one start to the next: a column each, in the same order. */
export interface IndexTable {
  /** Of the root that each file belongs to. */
  roots: Int32Array;
  paths: string[];
  sizesBytes: Float64Array;
  mtimesMs: Float64Array;
  editedAtMs: Float64Array;
  /** As `file-state.ts` numbers them. */
  states: Uint8Array;
  /** Of the text, one after the other; zeros where the file holds none. */
  hashes: Uint8Array;
  importance: Float64Array;
  /** Into `terms`. */
  references: Int32Array;
  terms: TermStore;
}

/** NUL ends a path, because it is the one character that no path holds. */
const PATH_END = '\0';

export class DamagedIndex extends Error {}

/** The columns but for the terms, as bytes of a multiple of 4; references are those that the terms have when they follow each other. */
export function columnsToBytes(table: IndexTable): Buffer {
  const paths = Buffer.from(table.paths.map((path) => path + PATH_END).join(''));
  const head = Buffer.alloc(8);
  head.writeUInt32LE(table.paths.length);
  head.writeUInt32LE(paths.length, 4);
  const columns = [
    table.sizesBytes,
    table.mtimesMs,
    table.editedAtMs,
    table.importance,
    table.roots,
    laidOut(table),
    table.hashes,
    table.states,
  ];
  const parts = [head, ...columns.map(bytesOf), paths];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([...parts, Buffer.alloc((4 - (length % 4)) % 4)]);
}

/** @throws DamagedIndex */
export function columnsFromBytes(bytes: Buffer): Omit<IndexTable, 'terms'> {
  if (bytes.length < 8) throw new DamagedIndex('the table is cut');
  const rows = bytes.readUInt32LE(0);
  let at = 8;
  const next = (length: number): Buffer => {
    at += length;
    if (at > bytes.length) throw new DamagedIndex('the table is cut');
    return bytes.subarray(at - length, at);
  };
  const doubles = (): Float64Array => new Float64Array(copied(next(rows * 8)));
  const table = {
    sizesBytes: doubles(),
    mtimesMs: doubles(),
    editedAtMs: doubles(),
    importance: doubles(),
    roots: new Int32Array(copied(next(rows * 4))),
    references: new Int32Array(copied(next(rows * 4))),
    hashes: new Uint8Array(copied(next(rows * HASH_BYTES))),
    states: new Uint8Array(copied(next(rows))),
    paths: next(bytes.readUInt32LE(4)).toString().split(PATH_END).slice(0, -1),
  };
  if (table.paths.length !== rows) throw new DamagedIndex('paths are missing');
  return table;
}

/**
 * The terms of the table, in pieces of at most a segment, with zeros where a segment has room left at its end. The next
 * piece is written over the one before.
 */
export function* termPieces(table: IndexTable): Generator<Int32Array> {
  const layout = new SegmentLayout();
  const piece = new Int32Array(SEGMENT_WORDS);
  let start = 0;
  for (const reference of table.references) {
    if (reference === NO_TERMS) continue;
    const terms = table.terms.view(reference);
    const at = layout.place(terms.length) - start;
    if (at >= SEGMENT_WORDS) {
      yield piece;
      piece.fill(0);
      start += SEGMENT_WORDS;
    }
    piece.set(terms, at % SEGMENT_WORDS);
  }
  yield piece.subarray(0, layout.totalWords - start);
}

/** The references that the terms have once they are written by `termPieces`. */
function laidOut({ references, terms }: IndexTable): Int32Array {
  const layout = new SegmentLayout();
  return references.map((reference) =>
    reference === NO_TERMS ? NO_TERMS : layout.place(terms.sizeOf(reference)),
  );
}

/** To memory of its own, which starts where numbers of any size may. */
const copied = (bytes: Buffer): ArrayBuffer => {
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
};

export const bytesOf = (column: Float64Array | Int32Array | Uint8Array): Buffer =>
  Buffer.from(column.buffer, column.byteOffset, column.byteLength);
