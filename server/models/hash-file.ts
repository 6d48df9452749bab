import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { throwIfCancelled } from '../errors';

const READ_BYTES = 4 * 1024 * 1024;

export interface HashOptions {
  /** Told after every few MB, from 0 to 1. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** sha256 of a file in hex, streamed. @throws CancelledError; file system errors as they come */
export async function hashFile(path: string, sizeBytes: number, options: HashOptions = {}): Promise<string> {
  const hash = createHash('sha256');
  let doneBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
    throwIfCancelled(options.signal);
    hash.update(chunk);
    doneBytes += chunk.length;
    options.onProgress?.(Math.min(1, doneBytes / sizeBytes));
  }
  return hash.digest('hex');
}
