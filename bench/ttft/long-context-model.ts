import fs from 'node:fs';
import path from 'node:path';

const KEY = '.context_length';
/** Of an unsigned 32-bit value, in the GGUF format. */
const U32 = 4;
const HEADER_BYTES = 1 << 20;

/**
 * A copy of a GGUF file in `folder` whose header allows a context of `contextTokens`, or the file itself where it
 * does already. For measuring time, which does not depend on how well the model reads positions it was not trained
 * for.
 */
export function withContext(modelPath: string, contextTokens: number, folder: string): string {
  const header = Buffer.alloc(HEADER_BYTES);
  const file = fs.openSync(modelPath, 'r');
  fs.readSync(file, header, 0, HEADER_BYTES, 0);
  fs.closeSync(file);
  const at = header.indexOf(KEY) + KEY.length;
  if (at < KEY.length || header.readUInt32LE(at) !== U32) {
    throw new Error(`${modelPath} does not say its context length where it is expected`);
  }
  if (header.readUInt32LE(at + 4) >= contextTokens) return modelPath;
  const copy = path.join(folder, 'long-context.gguf');
  fs.copyFileSync(modelPath, copy);
  header.writeUInt32LE(contextTokens, at + 4);
  const target = fs.openSync(copy, 'r+');
  fs.writeSync(target, header, at + 4, 4, at + 4);
  fs.closeSync(target);
  return copy;
}
