import { type FileHandle, open } from 'node:fs/promises';
import { LongviewError, messageOf } from '../../errors';
import { modelCorrupt } from '../model-errors';
import { ByteCursor, WindowTooSmall } from './byte-cursor';
import type { GgufFile, GgufTensor } from './gguf-file';
import { type GgufHeader, parseHeader } from './parse-header';

/** Holds the header of any model with a vocabulary of 150k tokens in one read. */
const FIRST_WINDOW_BYTES = 8 * 1024 * 1024;
/** Far above any real header; a larger one is a damaged length. */
const MAX_HEADER_BYTES = 512 * 1024 * 1024;
/** One `read` call cannot return more than 2 GiB. */
const MAX_READ_BYTES = 1024 * 1024 * 1024;

/**
 * Opens a GGUF v3 file and reads its header; tensor data stays on disk until `readTensor`.
 *
 * @throws LongviewError `modelMissing` when there is no such file or it cannot be read, `modelCorrupt` when it
 * is malformed or cut, `modelUnsupported` for another GGUF version or a tensor format Longview does not read
 */
export async function openGguf(path: string): Promise<GgufFile> {
  const handle = await openFile(path);
  try {
    const sizeBytes = (await handle.stat()).size;
    const header = await readHeader(handle, sizeBytes, path);
    return new OpenGguf(path, sizeBytes, handle, header);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** @throws LongviewError `modelMissing` */
export async function openFile(path: string): Promise<FileHandle> {
  try {
    const handle = await open(path, 'r');
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (error) {
    throw unreadable(path, messageOf(error), { cause: error });
  }
  throw unreadable(path, 'it is not a file');
}

export function unreadable(path: string, reason: string, options?: ErrorOptions): LongviewError {
  return new LongviewError(
    'modelMissing',
    `The model file ${path} cannot be opened: ${reason}.`,
    'Check the path and its permissions, or download the model.',
    { path },
    options,
  );
}

/** Parses from the front of the file, with a larger window when the header turns out to be longer. */
async function readHeader(handle: FileHandle, sizeBytes: number, path: string): Promise<GgufHeader> {
  const limitBytes = Math.min(sizeBytes, MAX_HEADER_BYTES);
  let windowBytes = Math.min(limitBytes, FIRST_WINDOW_BYTES);
  for (;;) {
    const window = await readRange(handle, path, 0, windowBytes);
    try {
      return parseHeader(new ByteCursor(window, sizeBytes, path), sizeBytes);
    } catch (error) {
      if (!(error instanceof WindowTooSmall)) throw error;
      if (error.neededBytes > limitBytes) throw modelCorrupt(path, `its header exceeds ${limitBytes} bytes`);
      windowBytes = Math.min(limitBytes, Math.max(error.neededBytes, windowBytes * 2));
    }
  }
}

/** Exactly `lengthBytes` bytes from `offsetBytes` on. @throws LongviewError `modelCorrupt` at the end of the file */
export async function readRange(
  handle: FileHandle,
  path: string,
  offsetBytes: number,
  lengthBytes: number,
): Promise<Uint8Array> {
  // Not a Buffer of the pool: typed arrays over it need an offset of 0.
  const bytes = new Uint8Array(lengthBytes);
  let filled = 0;
  while (filled < lengthBytes) {
    const wanted = Math.min(lengthBytes - filled, MAX_READ_BYTES);
    const { bytesRead } = await handle.read(bytes, filled, wanted, offsetBytes + filled);
    if (bytesRead === 0) {
      throw modelCorrupt(
        path,
        `it ends at byte ${offsetBytes + filled}, ${offsetBytes + lengthBytes} were expected`,
      );
    }
    filled += bytesRead;
  }
  return bytes;
}

class OpenGguf implements GgufFile {
  constructor(
    readonly path: string,
    readonly sizeBytes: number,
    private readonly handle: FileHandle,
    private readonly header: GgufHeader,
  ) {}

  get files(): readonly string[] {
    return [this.path];
  }

  get metadata(): GgufFile['metadata'] {
    return this.header.metadata;
  }

  get tensors(): ReadonlyMap<string, GgufTensor> {
    return this.header.tensors;
  }

  async readTensor(name: string): Promise<Uint8Array> {
    const tensor = this.tensors.get(name);
    if (!tensor) throw modelCorrupt(this.path, `it has no tensor ${name}`);
    return readRange(this.handle, this.path, tensor.offsetBytes, tensor.sizeBytes);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
