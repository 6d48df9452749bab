import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { FileContent, FileSource, FileStamp } from './file-source';

/** A file that keeps changing is taken as it was at the last of these attempts. */
const READ_ATTEMPTS = 3;

/** Reads regular files from disk. Without waiting on pipes and devices that have a file's name. */
export class DiskFileSource implements FileSource {
  async stat(path: string): Promise<FileStamp> {
    return stampOf(path, await stat(path));
  }

  async read(path: string, maxBytes: number): Promise<FileContent | 'tooLarge'> {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      let before = stampOf(path, await handle.stat());
      for (let attempt = 1; ; attempt++) {
        if (before.sizeBytes > maxBytes) return 'tooLarge';
        const bytes = await readWhole(handle, before.sizeBytes);
        const after = stampOf(path, await handle.stat());
        const steady = after.sizeBytes === bytes.length && after.mtimeMs === before.mtimeMs;
        if (steady || attempt === READ_ATTEMPTS) return { bytes, stamp: after };
        before = after;
      }
    } finally {
      await handle.close();
    }
  }
}

/** The first `sizeBytes` bytes; fewer when the file was cut short meanwhile. */
async function readWhole(handle: FileHandle, sizeBytes: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  let filled = 0;
  while (filled < sizeBytes) {
    const { bytesRead } = await handle.read(bytes, filled, sizeBytes - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function stampOf(path: string, stats: Stats): FileStamp {
  if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
  return { sizeBytes: stats.size, mtimeMs: stats.mtimeMs };
}
