import { type FileHandle, open } from 'node:fs/promises';

/** A file that grows at its end and survives the process, so that a download can go on later. */
export interface PartFile {
  readonly path: string;
  readonly lengthBytes: number;
  append(chunk: Uint8Array): Promise<void>;
  truncate(lengthBytes: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens the file as an earlier call left it, or creates it. */
export async function openPartFile(path: string): Promise<PartFile> {
  // Neither "a" nor "w": the first ignores positions, the second would empty the file.
  const handle = await open(path, 'a').then(async (created) => {
    await created.close();
    return open(path, 'r+');
  });
  return new DiskPartFile(path, handle, (await handle.stat()).size);
}

class DiskPartFile implements PartFile {
  constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private length: number,
  ) {}

  get lengthBytes(): number {
    return this.length;
  }

  async append(chunk: Uint8Array): Promise<void> {
    let written = 0;
    while (written < chunk.length) {
      const { bytesWritten } = await this.handle.write(chunk, written, chunk.length - written, this.length);
      written += bytesWritten;
      this.length += bytesWritten;
    }
  }

  async truncate(lengthBytes: number): Promise<void> {
    await this.handle.truncate(lengthBytes);
    this.length = lengthBytes;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
