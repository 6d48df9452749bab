import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import path from 'node:path';

const WORD_BYTES = 4;

/**
 * Terms on disk, in a file that stays open. Read in one go when they are looked through: from the page cache of the
 * operating system, which gives memory back to whoever needs it more, where an array of our own would not.
 */
export class SegmentFile {
  private users = 1;
  private endBytes = 0;

  /** @param descriptor of the open file; it is closed with the last user's `release` */
  constructor(private readonly descriptor: number) {}

  /** A file without a name: it is gone with its last user. @throws Error where nothing can be written */
  static inFolder(folder: string): SegmentFile {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = path.join(folder, `${randomUUID()}.terms`);
    const descriptor = openSync(file, 'wx+', 0o600);
    unlinkSync(file);
    return new SegmentFile(descriptor);
  }

  /** Adds words at the end and returns the byte where they begin. @throws Error when the disk is full */
  append(words: Int32Array): number {
    const start = this.endBytes;
    const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(this.descriptor, bytes, written, bytes.length - written, start + written);
    }
    this.endBytes = start + bytes.length;
    return start;
  }

  /** Fills `words` with what begins at this byte. @throws Error when the file cannot be read, or ends before */
  read(startBytes: number, words: Int32Array): void {
    // Its number may by now be that of another file.
    if (this.users === 0) throw new Error('the index of the repository on disk is closed');
    const bytes = Buffer.from(words.buffer, words.byteOffset, words.length * WORD_BYTES);
    for (let filled = 0; filled < bytes.length; ) {
      const count = readSync(this.descriptor, bytes, filled, bytes.length - filled, startBytes + filled);
      if (count === 0) throw new Error('the index of the repository on disk was cut while it was in use');
      filled += count;
    }
  }

  /** One more user, who calls `release` too. */
  retain(): void {
    this.users++;
  }

  release(): void {
    if (--this.users === 0) closeSync(this.descriptor);
  }
}
