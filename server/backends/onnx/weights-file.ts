import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { WeightsSink } from './convert';
import type { Region } from './converted-weights';

/** Every region begins at a multiple of this; it suits the widest vector loads. */
const ALIGNMENT_BYTES = 64;

/** Writes a weights file from front to back and hashes what it writes. Closed by its owner. */
export class WeightsFileWriter implements WeightsSink {
  private readonly hash = createHash('sha256');
  private sizeBytes = 0;

  private constructor(private readonly handle: FileHandle) {}

  /** @throws when `path` exists or cannot be made */
  static async create(path: string): Promise<WeightsFileWriter> {
    return new WeightsFileWriter(await open(path, 'wx'));
  }

  async append(bytes: Uint8Array): Promise<Region> {
    const padding = (ALIGNMENT_BYTES - (this.sizeBytes % ALIGNMENT_BYTES)) % ALIGNMENT_BYTES;
    if (padding > 0) await this.write(new Uint8Array(padding));
    const offsetBytes = this.sizeBytes;
    await this.write(bytes);
    return { offsetBytes, sizeBytes: bytes.length };
  }

  /** Brings everything to the disk. Nothing is appended afterwards. */
  async finish(): Promise<{ weightsSizeBytes: number; weightsSha256: string }> {
    await this.handle.datasync();
    return { weightsSizeBytes: this.sizeBytes, weightsSha256: this.hash.digest('hex') };
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private async write(bytes: Uint8Array): Promise<void> {
    await this.handle.writeFile(bytes);
    this.hash.update(bytes);
    this.sizeBytes += bytes.length;
  }
}

/** sha256 of a file, hex. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
