import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import {
  bytesOf,
  columnsFromBytes,
  columnsToBytes,
  DamagedIndex,
  type IndexTable,
  termPieces,
} from './index-table';
import { SEGMENT_WORDS } from './term-store';

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
      const handle = await open(this.file);
      try {
        return await read(handle);
      } finally {
        await handle.close();
      }
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

/** Terms are read into the arrays that they stay in. @throws DamagedIndex */
async function read(handle: FileHandle): Promise<IndexTable> {
  const { size } = await handle.stat();
  const head = await readAt(handle, 0, HEAD_BYTES + LENGTH_BYTES);
  const columnBytes = head.readUInt32LE(HEAD_BYTES);
  const termsAt = HEAD_BYTES + LENGTH_BYTES + columnBytes;
  const isOurs = head.toString('latin1', 0, MAGIC.length) === MAGIC && head.readUInt32LE(4) === VERSION;
  if (!isOurs || termsAt > size || (size - termsAt) % WORD_BYTES !== 0)
    throw new DamagedIndex('of another version');
  const hash = createHash('sha256').update(head.subarray(HEAD_BYTES));
  const columns = await readAt(handle, HEAD_BYTES + LENGTH_BYTES, columnBytes);
  hash.update(columns);
  const segments: Int32Array[] = [];
  for (let at = termsAt; at < size; at += SEGMENT_BYTES) {
    const bytes = await readAt(handle, at, Math.min(SEGMENT_BYTES, size - at));
    hash.update(bytes);
    segments.push(new Int32Array(bytes.buffer));
  }
  if (!hash.digest().equals(head.subarray(8, HEAD_BYTES))) throw new DamagedIndex('wrong checksum');
  return columnsFromBytes(columns, segments);
}

/** @throws DamagedIndex where the file ends before */
async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  // Not from the pool: the memory is the array's own.
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) throw new DamagedIndex('it is cut');
    filled += bytesRead;
  }
  return bytes;
}

/** Not there, or not for this user. */
function isOutOfReach(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'EACCES' || code === 'EPERM';
}
