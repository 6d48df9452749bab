import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { SourceFailure } from './model-source';

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const END_OF_DIRECTORY_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const STORED = 0;
const DEFLATED = 8;

/** A file in a wheel, which is a zip archive. */
interface Member {
  readonly method: number;
  readonly compressedBytes: number;
  readonly sizeBytes: number;
  readonly headerOffset: number;
}

/**
 * Hands the unpacked bytes of one file in a wheel to `onChunk`, in order and with back pressure.
 *
 * @param maxBytes the file may not unpack to more
 * @throws SourceFailure when the wheel is no sound zip archive, lacks the file, or the file is too large;
 * whatever `onChunk` throws
 */
export async function extractMember(
  wheelPath: string,
  memberPath: string,
  maxBytes: number,
  onChunk: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  const handle = await open(wheelPath, 'r');
  try {
    const zip = new ZipReader(handle, (await handle.stat()).size, wheelPath);
    const member = await zip.find(memberPath);
    if (member.sizeBytes > maxBytes) {
      throw new SourceFailure(`${memberPath} unpacks to ${member.sizeBytes} bytes, at most ${maxBytes} fit`);
    }
    await zip.unpack(member, memberPath, onChunk);
  } finally {
    await handle.close();
  }
}

/** As much of the zip format as wheels use: stored and deflated files, no zip64. */
class ZipReader {
  constructor(
    private readonly handle: FileHandle,
    private readonly sizeBytes: number,
    private readonly path: string,
  ) {}

  async find(memberPath: string): Promise<Member> {
    const directory = await this.readDirectory();
    for (let at = 0; at + 46 <= directory.length; ) {
      if (directory.readUInt32LE(at) !== DIRECTORY_ENTRY) throw this.damaged('its directory is malformed');
      const nameBytes = directory.readUInt16LE(at + 28);
      const name = directory.toString('utf8', at + 46, at + 46 + nameBytes);
      if (name === memberPath) {
        return {
          method: directory.readUInt16LE(at + 10),
          compressedBytes: directory.readUInt32LE(at + 20),
          sizeBytes: directory.readUInt32LE(at + 24),
          headerOffset: directory.readUInt32LE(at + 42),
        };
      }
      at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    }
    throw new SourceFailure(`${this.path} holds no ${memberPath}`);
  }

  async unpack(member: Member, memberPath: string, onChunk: (chunk: Buffer) => Promise<void>): Promise<void> {
    const header = await this.read(member.headerOffset, 30);
    if (header.readUInt32LE(0) !== LOCAL_HEADER)
      throw this.damaged(`${memberPath} is not where it should be`);
    const start = member.headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    if (start + member.compressedBytes > this.sizeBytes) throw this.damaged(`${memberPath} is cut`);

    let unpackedBytes = 0;
    for await (const chunk of this.chunksOf(member, start, memberPath)) {
      unpackedBytes += chunk.length;
      if (unpackedBytes > member.sizeBytes) throw this.damaged(`${memberPath} is larger than it says`);
      await onChunk(chunk);
    }
    if (unpackedBytes !== member.sizeBytes) throw this.damaged(`${memberPath} is smaller than it says`);
  }

  private async *chunksOf(member: Member, start: number, memberPath: string): AsyncGenerator<Buffer> {
    if (member.compressedBytes === 0) return;
    const end = start + member.compressedBytes - 1;
    const raw = this.handle.createReadStream({ start, end, autoClose: false });
    // Not `pipeline` with the reader as its end: that hides the reader's own error behind an AbortError.
    const unpacked = this.inflate(raw, member.method, memberPath);
    try {
      for await (const chunk of unpacked as AsyncIterable<Buffer>) yield chunk;
    } catch (error) {
      const isOfZlib = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
      throw isOfZlib ? this.damaged(`${memberPath} does not unpack`, { cause: error }) : error;
    } finally {
      raw.destroy();
      unpacked.destroy();
    }
  }

  private inflate(raw: Readable, method: number, memberPath: string): Readable {
    if (method === STORED) return raw;
    if (method !== DEFLATED) throw this.damaged(`${memberPath} is compressed in an unknown way`);
    const inflate = createInflateRaw();
    raw.once('error', (error) => inflate.destroy(error));
    return raw.pipe(inflate);
  }

  /** The central directory, found from the record at the end of the file. */
  private async readDirectory(): Promise<Buffer> {
    const tailBytes = Math.min(this.sizeBytes, END_OF_DIRECTORY_BYTES + MAX_COMMENT_BYTES);
    const tail = await this.read(this.sizeBytes - tailBytes, tailBytes);
    for (let at = tailBytes - END_OF_DIRECTORY_BYTES; at >= 0; at--) {
      if (tail.readUInt32LE(at) !== END_OF_DIRECTORY) continue;
      return this.read(tail.readUInt32LE(at + 16), tail.readUInt32LE(at + 12));
    }
    throw this.damaged('it is not a zip archive');
  }

  private async read(offset: number, lengthBytes: number): Promise<Buffer> {
    if (offset + lengthBytes > this.sizeBytes) throw this.damaged('it is cut');
    const buffer = Buffer.alloc(lengthBytes);
    const { bytesRead } = await this.handle.read(buffer, 0, lengthBytes, offset);
    if (bytesRead !== lengthBytes) throw this.damaged('it is cut');
    return buffer;
  }

  private damaged(what: string, options?: ErrorOptions): SourceFailure {
    return new SourceFailure(`the wheel ${this.path} is damaged: ${what}`, options);
  }
}
