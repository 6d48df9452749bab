import { z } from 'zod';
import { BLOCK_LAYOUTS } from '../gguf/block-layout';
import type { GgufTensor } from '../gguf/gguf-file';
import { modelCorrupt, modelUnsupported } from '../model-errors';

/** The length of the header, as an unsigned 64-bit number, comes first. */
export const LENGTH_BYTES = 8;
/** What the format itself allows. */
const MAX_HEADER_BYTES = 100_000_000;

const TYPES = { F32: 'F32', F16: 'F16', BF16: 'BF16' } as const;

const Entry = z.object({
  dtype: z.string(),
  shape: z.array(z.int().positive()).min(1),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

/** The length that the first bytes of a file tell. @throws LongviewError `modelCorrupt` */
export function headerLength(first: Uint8Array, path: string): number {
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length <= MAX_HEADER_BYTES) return length;
  throw modelCorrupt(path, `its header is said to have ${length} bytes`);
}

/**
 * The tensors of one file, under the names that they have there.
 *
 * @param text the JSON after the length
 * @throws LongviewError `modelCorrupt`, `modelUnsupported` for tensors that are neither F32, F16 nor BF16
 */
export function parseHeader(text: string, path: string, fileSizeBytes: number): GgufTensor[] {
  const dataStart = LENGTH_BYTES + Buffer.byteLength(text);
  return Object.entries(asObject(text, path))
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => tensorOf(name, value, path, dataStart, fileSizeBytes));
}

function asObject(text: string, path: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch (error) {
    throw modelCorrupt(path, 'its header is not a JSON object', { cause: error });
  }
}

function tensorOf(
  name: string,
  value: unknown,
  path: string,
  dataStart: number,
  fileSizeBytes: number,
): GgufTensor {
  const entry = Entry.safeParse(value).data;
  if (!entry) throw modelCorrupt(path, `the header does not say where the tensor ${name} lies`);
  const type = TYPES[entry.dtype as keyof typeof TYPES] as (typeof TYPES)[keyof typeof TYPES] | undefined;
  if (!type) {
    throw modelUnsupported(
      path,
      `tensor ${name} has the format ${entry.dtype}`,
      'Use a checkpoint in BF16, F16 or F32, or a GGUF file.',
    );
  }
  const elementCount = entry.shape.reduce((product, size) => product * size, 1);
  const [start, end] = entry.data_offsets;
  const sizeBytes = elementCount * BLOCK_LAYOUTS[type].bytes;
  if (end - start !== sizeBytes || dataStart + end > fileSizeBytes) {
    throw modelCorrupt(path, `tensor ${name} does not lie within the file as its shape asks`);
  }
  // Fastest dimension first, as everywhere else.
  const dims = [...entry.shape].reverse();
  return { name, type, dims, elementCount, offsetBytes: dataStart + start, sizeBytes };
}
