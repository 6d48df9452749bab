import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type HashOptions, hashFile } from './hash-file';
import { hasCode, readJsonFile, writeJsonFile } from './json-file';

/** What is remembered of a file whose sha256 was computed. It holds as long as path, size and mtime do. */
const Checksum = z.object({
  path: z.string(),
  sizeBytes: z.number(),
  mtimeMs: z.number(),
  sha256: z.string(),
});
type Checksum = z.infer<typeof Checksum>;

/** The sha256 of a file, hashed once and then remembered: 500 MB must not be hashed on every start. */
export class ChecksumRecord {
  /** @param recordPath where the checksum is remembered */
  constructor(
    private readonly path: string,
    private readonly recordPath: string,
  ) {}

  /**
   * In hex; from memory when the file is unchanged since it was hashed.
   *
   * @throws CancelledError; file system errors as they come
   */
  async sha256(options: HashOptions = {}): Promise<string> {
    const { size: sizeBytes, mtimeMs } = await stat(this.path);
    const known = Checksum.safeParse(await readJsonFile(this.recordPath)).data;
    if (known?.path === this.path && known.sizeBytes === sizeBytes && known.mtimeMs === mtimeMs) {
      return known.sha256;
    }
    const sha256 = await hashFile(this.path, sizeBytes, options);
    const after = await stat(this.path);
    const unchanged = after.size === sizeBytes && after.mtimeMs === mtimeMs;
    if (unchanged) await this.remember({ path: this.path, sizeBytes, mtimeMs, sha256 });
    return sha256;
  }

  /** Notes the sha256 of the file as it is now, when it was computed elsewhere. */
  async note(sha256: string): Promise<void> {
    const { size: sizeBytes, mtimeMs } = await stat(this.path);
    await this.remember({ path: this.path, sizeBytes, mtimeMs, sha256 });
  }

  /** The record only saves time: where it cannot be written, hashing again next time is right. */
  private async remember(checksum: Checksum): Promise<void> {
    try {
      await mkdir(dirname(this.recordPath), { recursive: true });
      await writeJsonFile(this.recordPath, checksum);
    } catch (error) {
      if (!hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT')) throw error;
    }
  }
}
