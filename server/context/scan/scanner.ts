import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { ExclusionReason } from '../../../protocol';
import { classifyBytes, MAX_FILE_BYTES } from '../classify';
import type { FileStamp } from '../file-source';
import { codeOfReason, TEXT } from '../file-state';
import { hashOfText } from '../file-store';
import type { TermCounter } from '../index/term-counter';
import type { ScannedFile, ScanRequest } from './scan-files';

/** A file that keeps changing is taken as it was at the last of these attempts. */
const READ_ATTEMPTS = 3;

/**
 * Reads files one after the other and counts their terms, in a thread that does nothing else: so it waits for the disk
 * instead of giving way, which costs a third of the time.
 */
export class FileScanner {
  private readonly buffer = Buffer.allocUnsafeSlow(MAX_FILE_BYTES + 1);

  constructor(private readonly counter: TermCounter) {}

  scan(file: ScanRequest, mostTerms: number): ScannedFile {
    try {
      return this.read(file, mostTerms);
    } catch {
      // Whatever the reason is, attaching the file tells it.
      return excluded('unreadable', file);
    }
  }

  private read({ absolutePath, path, displayPath }: ScanRequest, mostTerms: number): ScannedFile {
    const content = this.contentOf(absolutePath);
    if (content.bytes === undefined) return excluded('tooLarge', content.stamp);
    const classified = classifyBytes(path, content.bytes);
    if (classified.kind === 'excluded') return excluded(classified.reason, content.stamp);
    const terms = this.counter.count(displayPath, classified.text, mostTerms);
    return { state: TEXT, stamp: content.stamp, text: { hash: hashOfText(classified.text), terms } };
  }

  /** Without waiting on pipes and devices that have a file's name. Without bytes: it is too large. */
  private contentOf(path: string): { bytes?: Uint8Array; stamp: FileStamp } {
    const handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      let before = stampOf(handle, path);
      for (let attempt = 1; ; attempt++) {
        if (before.sizeBytes > MAX_FILE_BYTES) return { stamp: before };
        const bytes = this.readWhole(handle, before.sizeBytes);
        const after = stampOf(handle, path);
        const steady = after.sizeBytes === bytes.length && after.mtimeMs === before.mtimeMs;
        if (steady || attempt === READ_ATTEMPTS) return { bytes, stamp: after };
        before = after;
      }
    } finally {
      closeSync(handle);
    }
  }

  /** The first `sizeBytes` bytes; fewer when the file was cut short meanwhile. Valid until the next file is read. */
  private readWhole(handle: number, sizeBytes: number): Uint8Array {
    let filled = 0;
    while (filled < sizeBytes) {
      const count = readSync(handle, this.buffer, filled, sizeBytes - filled, filled);
      if (count === 0) break;
      filled += count;
    }
    return this.buffer.subarray(0, filled);
  }
}

function stampOf(handle: number, path: string): FileStamp {
  const stats = fstatSync(handle);
  if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
  return { sizeBytes: stats.size, mtimeMs: stats.mtimeMs };
}

const excluded = (reason: ExclusionReason, { sizeBytes, mtimeMs }: FileStamp): ScannedFile => ({
  state: codeOfReason(reason),
  stamp: { sizeBytes, mtimeMs },
  text: undefined,
});
