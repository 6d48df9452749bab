import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { blockHeader, computeMsIn, HEADER_BYTES, type ReadBlock, readBlock } from './block-file';

const SUFFIX = '.kv';
const UNFINISHED_SUFFIX = '.part';
/** Older unfinished files belong to no living process. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;
/** What is over the cap goes, and some more, so that not every block pays for it. */
const PRUNED_SHARE = 0.9;

/**
 * Blocks as files of one folder, each named by what it holds: written under another name and renamed, so that neither
 * a crash nor a second process leaves half of one under its name. What is not used for longest goes first. They hold
 * source text in another form: the folder and its files are the user's own.
 */
export class BlockDisk {
  private bytes: number | undefined;

  /** @param folder absolute; made when it is needed */
  constructor(
    private readonly folder: string,
    private readonly maxBytes: number,
  ) {}

  /** How many of these blocks are there, from the first on up to the first that is not. */
  async countLeading(ids: readonly string[]): Promise<number> {
    for (const [index, id] of ids.entries()) {
      const isThere = await stat(this.fileOf(id)).then(
        () => true,
        () => false,
      );
      if (!isThere) return index;
    }
    return ids.length;
  }

  /** Undefined when it is not there. What cannot be used is removed. */
  async read(id: string): Promise<ReadBlock | undefined> {
    const file = await readFile(this.fileOf(id)).catch(absent);
    if (!file) return undefined;
    const block = await readBlock(id, file);
    if ('unusable' in block) await rm(this.fileOf(id), { force: true });
    return block;
  }

  /** What the block says of its cost; undefined where it says nothing, or cannot be read. */
  async computeMs(id: string): Promise<number | undefined> {
    const handle = await open(this.fileOf(id)).catch(() => undefined);
    if (!handle) return undefined;
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
      return computeMsIn(buffer.subarray(0, bytesRead));
    } finally {
      await handle.close();
    }
  }

  /**
   * Marks a block as used; those at the end of a prompt are the first to go, since they are worth nothing without the
   * ones before them.
   */
  async touch(id: string, index: number): Promise<void> {
    const at = Date.now() / 1000 - index;
    await utimes(this.fileOf(id), at, at).catch(absent);
  }

  /** @throws what the file system says, such as `ENOSPC`; nothing is left of the block then */
  async write(id: string, kv: Uint8Array, index: number, computeMs?: number): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await chmod(this.folder, 0o700);
    const unfinished = path.join(this.folder, `${randomUUID()}${UNFINISHED_SUFFIX}`);
    try {
      const handle = await open(unfinished, 'wx', 0o600);
      try {
        await handle.writeFile(blockHeader(id, kv, computeMs));
        await handle.writeFile(kv);
      } finally {
        await handle.close();
      }
      await rename(unfinished, this.fileOf(id));
    } catch (error) {
      await rm(unfinished, { force: true });
      throw error;
    }
    await this.touch(id, index);
    this.bytes = this.bytes === undefined ? (await this.scan()).bytes : this.bytes + kv.byteLength;
    if (this.bytes > this.maxBytes) await this.prune(this.maxBytes * PRUNED_SHARE);
  }

  /** Removes everything; returns how many bytes that were. */
  async purge(): Promise<number> {
    const { bytes } = await this.scan();
    await rm(this.folder, { recursive: true, force: true });
    this.bytes = undefined;
    return bytes;
  }

  /** Removes blocks until at most `bytes` are left, and what dead processes left behind. */
  async prune(bytes: number): Promise<void> {
    const { files, bytes: before } = await this.scan();
    let left = before;
    for (const file of files.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
      if (left <= bytes) break;
      await rm(file.path, { force: true });
      left -= file.bytes;
    }
    this.bytes = left;
  }

  private async scan() {
    const names = await readdir(this.folder).catch(absent);
    const files: { path: string; bytes: number; mtimeMs: number }[] = [];
    for (const name of names ?? []) {
      const file = path.join(this.folder, name);
      const stats = await stat(file).catch(absent);
      if (!stats) continue;
      const isAbandoned = Date.now() - stats.mtimeMs > ABANDONED_AFTER_MS;
      if (name.endsWith(SUFFIX)) files.push({ path: file, bytes: stats.size, mtimeMs: stats.mtimeMs });
      else if (name.endsWith(UNFINISHED_SUFFIX) && isAbandoned) await rm(file, { force: true });
    }
    return { files, bytes: files.reduce((sum, file) => sum + file.bytes, 0) };
  }

  private fileOf(id: string): string {
    return path.join(this.folder, `${id}${SUFFIX}`);
  }
}

/** For what another process may have removed meanwhile; any other failure is one. */
function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
    return undefined;
  throw error;
}
