import type { FileContent, FileSource, FileStamp } from '../../../../server/context/file-source';

/** Files in memory, with a count of what was read. */
export class FakeSource implements FileSource {
  readonly files = new Map<string, { bytes: Uint8Array; mtimeMs: number }>();
  readonly broken = new Set<string>();
  reads: string[] = [];
  private clock = 1;

  put(path: string, content: string | Uint8Array): void {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    this.files.set(path, { bytes, mtimeMs: this.clock++ });
  }

  async stat(path: string): Promise<FileStamp> {
    await Promise.resolve();
    const file = this.files.get(path);
    if (!file) throw new Error(`ENOENT: no such file, open '${path}'`);
    return { sizeBytes: file.bytes.length, mtimeMs: file.mtimeMs };
  }

  async read(path: string, maxBytes: number): Promise<FileContent | 'tooLarge'> {
    const stamp = await this.stat(path);
    if (this.broken.has(path)) throw new Error(`EACCES: permission denied, open '${path}'`);
    this.reads.push(path);
    if (stamp.sizeBytes > maxBytes) return 'tooLarge';
    return { bytes: this.files.get(path)!.bytes, stamp };
  }
}
