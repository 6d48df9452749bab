import { modelUnsupported } from '../model-errors';
import { BLOCK_LAYOUTS, ggmlTypeOf, nameOfUnreadType } from './block-layout';
import type { ByteCursor } from './byte-cursor';
import { GGML_TYPES, type GgufScalar, type GgufTensor, type GgufValue } from './gguf-file';

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

const MAGIC = 0x46554747; // "GGUF"
const VERSION = 3;
const DEFAULT_ALIGNMENT_BYTES = 32;
const MAX_DIMENSIONS = 4;

/** Fewest bytes of one entry in the file: key length, type, value; name length, dimensions, type, offset. */
const MIN_METADATA_BYTES = 8 + 4 + 1;
const MIN_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8;
const ARRAY_SLOT_BYTES = 8;

/** Value types of GGUF metadata, by their numbers. */
const STRING = 8;
const BOOL = 7;
const ARRAY = 9;
const UINT64 = 10;
const INT64 = 11;

/**
 * Reads the header of a GGUF v3 file: all metadata and the place of every tensor.
 *
 * @throws LongviewError `modelCorrupt` for anything malformed, `modelUnsupported` for another version of the
 * format and for tensor formats outside `GGML_TYPES`
 */
export function parseHeader(cursor: ByteCursor, fileSizeBytes: number): GgufHeader {
  checkMagicAndVersion(cursor);
  const tensorCount = cursor.count('the number of tensors', MIN_TENSOR_BYTES);
  const metadataCount = cursor.count('the number of metadata entries', MIN_METADATA_BYTES);
  const metadata = parseMetadata(cursor, metadataCount);
  const alignmentBytes = alignmentOf(cursor, metadata);
  const relative = Array.from({ length: tensorCount }, () => parseTensor(cursor, alignmentBytes));
  const dataStart = Math.ceil(cursor.offsetBytes / alignmentBytes) * alignmentBytes;
  return { metadata, tensors: placeTensors(cursor, relative, dataStart, fileSizeBytes) };
}

function checkMagicAndVersion(cursor: ByteCursor): void {
  if (cursor.u32() !== MAGIC) throw cursor.corrupt('it does not begin with "GGUF"');
  const version = cursor.u32();
  if (version === VERSION) return;
  const bigEndian = version === 0x0300_0000;
  throw modelUnsupported(
    cursor.path,
    bigEndian ? 'it is a big-endian GGUF file' : `it is GGUF version ${version}, and only version 3 is read`,
    'Use a little-endian GGUF v3 file of the model.',
  );
}

function parseMetadata(cursor: ByteCursor, count: number): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = cursor.string();
    if (metadata.has(key)) throw cursor.corrupt(`the metadata key ${key} appears twice`);
    const type = cursor.u32();
    metadata.set(key, type === ARRAY ? parseArray(cursor, key) : parseScalar(cursor, type, key));
  }
  return metadata;
}

function parseScalar(cursor: ByteCursor, type: number, key: string): GgufScalar {
  switch (type) {
    case 0:
      return cursor.u8();
    case 1:
      return cursor.i8();
    case 2:
      return cursor.u16();
    case 3:
      return cursor.i16();
    case 4:
      return cursor.u32();
    case 5:
      return cursor.i32();
    case 6:
      return cursor.f32();
    case BOOL:
      return parseBoolean(cursor, key);
    case STRING:
      return cursor.string();
    case UINT64:
      return cursor.u64();
    case INT64:
      return cursor.i64();
    case 12:
      return cursor.f64();
    default:
      throw cursor.corrupt(`the metadata key ${key} has the unknown value type ${type}`);
  }
}

function parseArray(cursor: ByteCursor, key: string): GgufValue {
  const type = cursor.u32();
  const what = `the length of the array ${key}`;
  const count = cursor.count(what, type === STRING ? 8 : 1);
  switch (type) {
    case 0:
      return new Uint8Array(cursor.copy(what, count, 1));
    case 1:
      return new Int8Array(cursor.copy(what, count, 1));
    case 2:
      return new Uint16Array(cursor.copy(what, count, 2));
    case 3:
      return new Int16Array(cursor.copy(what, count, 2));
    case 4:
      return new Uint32Array(cursor.copy(what, count, 4));
    case 5:
      return new Int32Array(cursor.copy(what, count, 4));
    case 6:
      return new Float32Array(cursor.copy(what, count, 4));
    case 12:
      return new Float64Array(cursor.copy(what, count, 8));
    case BOOL:
      return parseItems(cursor, count, () => parseBoolean(cursor, key));
    case STRING:
      return parseItems(cursor, count, () => cursor.string());
    case UINT64:
      return parseItems(cursor, count, () => cursor.u64());
    case INT64:
      return parseItems(cursor, count, () => cursor.i64());
    default:
      throw cursor.corrupt(`the array ${key} has the unknown or nested item type ${type}`);
  }
}

function parseItems<Item>(cursor: ByteCursor, count: number, parse: () => Item): Item[] {
  cursor.reserve(count * ARRAY_SLOT_BYTES);
  const items: Item[] = [];
  for (let i = 0; i < count; i++) items.push(parse());
  return items;
}

function parseBoolean(cursor: ByteCursor, key: string): boolean {
  const byte = cursor.u8();
  if (byte > 1) throw cursor.corrupt(`the metadata key ${key} holds ${byte} where a boolean should be`);
  return byte === 1;
}

function alignmentOf(cursor: ByteCursor, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT_BYTES;
  if (typeof alignment !== 'number' || alignment < 8 || !Number.isInteger(Math.log2(alignment))) {
    throw cursor.corrupt('general.alignment is not a power of two of at least 8');
  }
  return alignment;
}

/** One tensor, its offset still relative to the start of the tensor data. */
function parseTensor(cursor: ByteCursor, alignmentBytes: number): GgufTensor {
  const name = cursor.string();
  const dims = parseDims(cursor, name);
  const typeNumber = cursor.u32();
  const offsetBytes = cursor.size(`the offset of tensor ${name}`);
  const type = ggmlTypeOf(typeNumber);
  if (!type) {
    throw modelUnsupported(
      cursor.path,
      `tensor ${name} has the format ${nameOfUnreadType(typeNumber)}`,
      `Use a file whose tensors are all of ${Object.keys(GGML_TYPES).join(', ')}, such as a Q4_K_M file.`,
    );
  }
  const elementCount = dims.reduce((product, dim) => product * dim, 1);
  const layout = BLOCK_LAYOUTS[type];
  if ((dims[0] ?? 0) % layout.elements !== 0) {
    throw cursor.corrupt(`the rows of tensor ${name} are not whole ${type} blocks`);
  }
  if (offsetBytes % alignmentBytes !== 0) throw cursor.corrupt(`tensor ${name} is not aligned`);
  const sizeBytes = (elementCount / layout.elements) * layout.bytes;
  return { name, type, dims, elementCount, offsetBytes, sizeBytes };
}

function parseDims(cursor: ByteCursor, name: string): number[] {
  const count = cursor.u32();
  if (count < 1 || count > MAX_DIMENSIONS) throw cursor.corrupt(`tensor ${name} has ${count} dimensions`);
  const dims = Array.from({ length: count }, () => cursor.size(`a dimension of tensor ${name}`));
  if (dims.includes(0)) throw cursor.corrupt(`tensor ${name} has a dimension of 0`);
  return dims;
}

/** Makes offsets absolute; refuses tensors that leave the file, overlap or share a name. */
function placeTensors(
  cursor: ByteCursor,
  relative: readonly GgufTensor[],
  dataStart: number,
  fileSizeBytes: number,
): Map<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  for (const tensor of relative) {
    if (tensors.has(tensor.name)) throw cursor.corrupt(`the tensor ${tensor.name} appears twice`);
    const offsetBytes = dataStart + tensor.offsetBytes;
    const endBytes = offsetBytes + tensor.sizeBytes;
    if (endBytes > fileSizeBytes) {
      throw cursor.corrupt(
        `tensor ${tensor.name} ends at byte ${endBytes}, the file at byte ${fileSizeBytes}`,
      );
    }
    tensors.set(tensor.name, { ...tensor, offsetBytes });
  }
  const inFileOrder = [...tensors.values()].sort((a, b) => a.offsetBytes - b.offsetBytes);
  let previous: GgufTensor | undefined;
  for (const tensor of inFileOrder) {
    if (previous && previous.offsetBytes + previous.sizeBytes > tensor.offsetBytes) {
      throw cursor.corrupt(`the tensors ${previous.name} and ${tensor.name} overlap`);
    }
    previous = tensor;
  }
  return tensors;
}
