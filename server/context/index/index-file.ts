import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { ExclusionReason } from '../../../protocol';
import type { FileStamp } from '../file-source';
import { type FileTerms, isWhole } from './file-terms';

/** What is kept of a file from one start to the next. */
export interface IndexEntry {
  /** `placeKey` of the file. */
  key: string;
  stamp: FileStamp;
  editedAtMs: number;
  state: { kind: 'text'; hash: string; terms: FileTerms } | { kind: 'excluded'; reason: ExclusionReason };
  /** Its share of what the repository refers to; absent where it was not computed. */
  importance?: number;
}

/**
 * Layout, little-endian: `LVIX`, version u32, sha256 of the rest (32 bytes), bytes of the table u32, the table as JSON
 * padded with spaces to a multiple of 4, then the terms of all files one after the other.
 */
const MAGIC = 'LVIX';
/** Changes with the layout, and with what the scanner makes of a text: an index of another version is made anew. */
const VERSION = 1;
const HEAD_BYTES = 40;
const PIECE_BYTES = 1 << 22;

type Row = [
  key: string,
  sizeBytes: number,
  mtimeMs: number,
  editedAtMs: number,
  hashOrReason: string,
  terms: number,
  importance: number,
];

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
  async load(): Promise<IndexEntry[] | undefined> {
    try {
      return parse(await readFile(this.file));
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
  async save(entries: readonly IndexEntry[]): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const beside = `${this.file}.${randomUUID()}`;
    try {
      await write(beside, entries);
      await rename(beside, this.file);
    } catch (error) {
      await rm(beside, { force: true });
      throw error;
    }
  }
}

async function write(file: string, entries: readonly IndexEntry[]): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    let at = HEAD_BYTES;
    for (const piece of piecesOf(entries)) {
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

function* piecesOf(entries: readonly IndexEntry[]): Generator<Buffer> {
  const json = Buffer.from(JSON.stringify(entries.map(rowOf)));
  const padding = Buffer.alloc((4 - (json.length % 4)) % 4, ' ');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length + padding.length);
  yield Buffer.concat([length, json, padding]);
  let gathered: Buffer[] = [];
  let bytes = 0;
  for (const { state } of entries) {
    if (state.kind !== 'text') continue;
    gathered.push(Buffer.from(state.terms.buffer, state.terms.byteOffset, state.terms.byteLength));
    bytes += state.terms.byteLength;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    bytes = 0;
  }
  yield Buffer.concat(gathered);
}

function rowOf({ key, stamp, editedAtMs, state, importance = -1 }: IndexEntry): Row {
  const isText = state.kind === 'text';
  const what = isText ? state.hash : `!${state.reason}`;
  return [key, stamp.sizeBytes, stamp.mtimeMs, editedAtMs, what, isText ? state.terms.length : 0, importance];
}

class DamagedIndex extends Error {}

/** @throws DamagedIndex */
function parse(file: Buffer): IndexEntry[] {
  const isOurs = file.length >= HEAD_BYTES + 4 && file.toString('latin1', 0, 4) === MAGIC;
  if (!isOurs || file.readUInt32LE(4) !== VERSION) throw new DamagedIndex('of another version');
  const sum = createHash('sha256').update(file.subarray(HEAD_BYTES)).digest();
  if (!sum.equals(file.subarray(8, HEAD_BYTES))) throw new DamagedIndex('wrong checksum');
  const tableEnd = HEAD_BYTES + 4 + file.readUInt32LE(HEAD_BYTES);
  const rows = JSON.parse(file.toString('utf8', HEAD_BYTES + 4, tableEnd)) as Row[];
  // A copy of its own, since only that is sure to start where numbers of four bytes may.
  const terms = new Uint32Array(file.buffer.slice(file.byteOffset + tableEnd, file.byteOffset + file.length));
  let at = 0;
  return rows.map((row) => {
    const own = terms.subarray(at, at + row[5]);
    at += row[5];
    return entryOf(row, own);
  });
}

function entryOf(
  [key, sizeBytes, mtimeMs, editedAtMs, what, , importance]: Row,
  terms: FileTerms,
): IndexEntry {
  if (!what.startsWith('!') && !isWhole(terms)) throw new DamagedIndex('terms are cut');
  return {
    key,
    stamp: { sizeBytes, mtimeMs },
    editedAtMs,
    state: what.startsWith('!')
      ? { kind: 'excluded', reason: what.slice(1) as ExclusionReason }
      : { kind: 'text', hash: what, terms },
    ...(importance >= 0 && { importance }),
  };
}

/** Not there, or not for this user. */
function isOutOfReach(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'EACCES' || code === 'EPERM';
}
