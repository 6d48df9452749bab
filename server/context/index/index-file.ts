import { createHash, randomUUID } from 'node:crypto';
import { fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  bytesOf,
  columnsFromBytes,
  columnsToBytes,
  DamagedIndex,
  type IndexTable,
  termPieces,
} from './index-table';
import { SegmentFile } from './segment-file';
import { NO_TERMS, SEGMENT_WORDS, type SegmentPlace, TermStore } from './term-store';

/**
 * Layout, little-endian: `LVIX`, version u32, sha256 of the rest (32 bytes), bytes of the columns u32, the columns, then
 * the terms of all files in segments, of which only the last may be shorter.
 */
const MAGIC = 'LVIX';
/** Changes with the layout, and with what the scanner makes of a text: an index of another version is made anew. */
const VERSION = 2;
const HEAD_BYTES = 40;
const LENGTH_BYTES = 4;
const WORD_BYTES = 4;
const SEGMENT_BYTES = SEGMENT_WORDS * WORD_BYTES;
/** Older unfinished files belong to no living process. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/** The index of one workspace on disk: of hashed words, not of text, and for its user alone. */
export class IndexFile {
  private readonly file: string;

  /** @param roots absolute paths of the workspace's folders */
  constructor(
    private readonly folder: string,
    roots: readonly string[],
  ) {
    const name = createHash('sha256').update(roots.join('\0')).digest('hex').slice(0, 32);
    this.file = path.join(folder, `${name}.index`);
  }

  /** What was saved last; undefined when nothing was, or it is damaged or of another version. */
  async load(): Promise<IndexTable | undefined> {
    try {
      return await this.read(openSync(this.file, 'r'));
    } catch (error) {
      // Without an index the files are read again, which is what it spares.
      if (isOutOfReach(error) || error instanceof DamagedIndex) return undefined;
      throw error;
    }
  }

  /**
   * Replaces what was saved, in one step: a reader sees the old index or the new one. Of two windows that save at
   * once, the later one wins.
   * @throws Error where the disk is full or may not be written; the index there was stays
   */
  async save(table: IndexTable): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const beside = `${this.file}.${randomUUID()}`;
    try {
      await write(beside, table);
      await rename(beside, this.file);
    } catch (error) {
      await rm(beside, { force: true });
      throw error;
    }
    await this.removeAbandoned();
  }

  /** What processes that were killed while they saved have left. */
  private async removeAbandoned(): Promise<void> {
    const unfinished = `${path.basename(this.file)}.`;
    for (const name of await readdir(this.folder)) {
      if (!name.startsWith(unfinished)) continue;
      const file = path.join(this.folder, name);
      const isAbandoned = await stat(file).then(
        ({ mtimeMs }) => Date.now() - mtimeMs > ABANDONED_AFTER_MS,
        () => false,
      );
      if (isAbandoned) await rm(file, { force: true });
    }
  }

  /** Terms stay in the file, which stays open. @throws DamagedIndex */
  private async read(descriptor: number): Promise<IndexTable> {
    const file = new SegmentFile(descriptor);
    try {
      const { columns, places } = await checked(file, descriptor);
      const table = columnsFromBytes(columns);
      const runs = table.references.reduce((sum, reference) => sum + (reference === NO_TERMS ? 0 : 1), 0);
      if (table.references.some((reference) => reference >= places.length * SEGMENT_WORDS)) {
        throw new DamagedIndex('terms are missing');
      }
      return { ...table, terms: TermStore.of(places, runs, this.folder) };
    } catch (error) {
      file.release();
      throw error;
    }
  }
}

async function write(file: string, table: IndexTable): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    let at = HEAD_BYTES;
    for (const piece of piecesOf(table)) {
      hash.update(piece);
      at = await writeWhole(handle, piece, at);
    }
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(MAGIC, 'latin1');
    head.writeUInt32LE(VERSION, 4);
    hash.digest().copy(head, 8);
    await writeWhole(handle, head, 0);
  } finally {
    await handle.close();
  }
}

/** A disk that has room for a part writes a part, and refuses with the next call. @returns where the bytes end */
async function writeWhole(handle: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let written = 0;
  while (written < bytes.length) {
    const rest = bytes.length - written;
    const { bytesWritten } = await handle.write(bytes, written, rest, position + written);
    written += bytesWritten;
  }
  return position + written;
}

function* piecesOf(table: IndexTable): Generator<Buffer> {
  const columns = columnsToBytes(table);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(columns.length);
  yield length;
  yield columns;
  for (const piece of termPieces(table)) yield bytesOf(piece);
}

/** Reads all of the file once, and lets messages in between. @throws DamagedIndex */
async function checked(file: SegmentFile, descriptor: number) {
  const { size } = fstatSync(descriptor);
  const head = readAt(descriptor, 0, HEAD_BYTES + LENGTH_BYTES);
  const columnBytes = head.readUInt32LE(HEAD_BYTES);
  const termsAt = HEAD_BYTES + LENGTH_BYTES + columnBytes;
  const isOurs = head.toString('latin1', 0, MAGIC.length) === MAGIC && head.readUInt32LE(4) === VERSION;
  if (!isOurs || termsAt > size || (size - termsAt) % WORD_BYTES !== 0)
    throw new DamagedIndex('of another version');
  const hash = createHash('sha256').update(head.subarray(HEAD_BYTES));
  const columns = readAt(descriptor, HEAD_BYTES + LENGTH_BYTES, columnBytes);
  hash.update(columns);
  const places: SegmentPlace[] = [];
  const room = Buffer.allocUnsafeSlow(Math.min(SEGMENT_BYTES, size - termsAt));
  for (let at = termsAt; at < size; at += SEGMENT_BYTES) {
    const bytes = room.subarray(0, Math.min(SEGMENT_BYTES, size - at));
    readInto(descriptor, at, bytes);
    hash.update(bytes);
    places.push({ file, startBytes: at, words: bytes.length / WORD_BYTES });
    await setImmediate();
  }
  if (!hash.digest().equals(head.subarray(8, HEAD_BYTES))) throw new DamagedIndex('wrong checksum');
  return { columns, places };
}

/** @throws DamagedIndex where the file ends before */
function readAt(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  readInto(descriptor, position, bytes);
  return bytes;
}

function readInto(descriptor: number, position: number, bytes: Buffer): void {
  for (let filled = 0; filled < bytes.length; ) {
    const count = readSync(descriptor, bytes, filled, bytes.length - filled, position + filled);
    if (count === 0) throw new DamagedIndex('it is cut');
    filled += count;
  }
}

/** Not there, or not for this user. */
function isOutOfReach(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'EACCES' || code === 'EPERM';
}
