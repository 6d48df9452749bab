import { BLOCK_LAYOUTS } from '../../../../../server/models/gguf/block-layout';
import { GGML_TYPES, type GgmlTypeName } from '../../../../../server/models/gguf/gguf-file';

/** Numbers of the metadata value types in the file format. */
export const VALUE_TYPES = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;
export type ScalarType = keyof typeof VALUE_TYPES;
type Scalar = number | bigint | boolean | string;

export type Entry =
  | { key: string; type: ScalarType; value: Scalar }
  | { key: string; type: 'array'; itemType: ScalarType; value: readonly Scalar[] };

export interface TensorSource {
  name: string;
  dims: number[];
  type: GgmlTypeName;
}

/** Everything a GGUF file says, to be changed at will before it is written. */
export interface GgufSource {
  metadata: Entry[];
  tensors: TensorSource[];
}

/** Little-endian bytes, piece by piece. */
export class ByteWriter {
  private readonly pieces: Buffer[] = [];
  private length = 0;

  get lengthBytes(): number {
    return this.length;
  }

  bytes(piece: Uint8Array): this {
    this.pieces.push(Buffer.from(piece));
    this.length += piece.length;
    return this;
  }

  u32(value: number): this {
    const piece = Buffer.alloc(4);
    piece.writeUInt32LE(value);
    return this.bytes(piece);
  }

  u64(value: number | bigint): this {
    const piece = Buffer.alloc(8);
    piece.writeBigUInt64LE(BigInt(value));
    return this.bytes(piece);
  }

  string(text: string): this {
    const utf8 = Buffer.from(text);
    return this.u64(utf8.length).bytes(utf8);
  }

  scalar(type: ScalarType, value: Scalar): this {
    if (type === 'string') return this.string(String(value));
    const piece = Buffer.alloc(8);
    const view = new DataView(piece.buffer, piece.byteOffset, 8);
    const number = Number(value);
    const write: Record<Exclude<ScalarType, 'string'>, () => number> = {
      u8: () => (view.setUint8(0, number), 1),
      i8: () => (view.setInt8(0, number), 1),
      u16: () => (view.setUint16(0, number, true), 2),
      i16: () => (view.setInt16(0, number, true), 2),
      u32: () => (view.setUint32(0, number, true), 4),
      i32: () => (view.setInt32(0, number, true), 4),
      f32: () => (view.setFloat32(0, number, true), 4),
      f64: () => (view.setFloat64(0, number, true), 8),
      bool: () => (view.setUint8(0, number), 1),
      u64: () => (view.setBigUint64(0, BigInt(value), true), 8),
      i64: () => (view.setBigInt64(0, BigInt(value), true), 8),
    };
    return this.bytes(piece.subarray(0, write[type]()));
  }

  done(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

/** A complete GGUF v3 file. Tensor data is a running count of bytes, so that every tensor differs. */
export function writeGguf({ metadata, tensors }: GgufSource, alignment = 32): Buffer {
  const writer = new ByteWriter().bytes(Buffer.from('GGUF')).u32(3).u64(tensors.length).u64(metadata.length);
  for (const entry of metadata) {
    writer.string(entry.key);
    if (entry.type === 'array') {
      writer.u32(9).u32(VALUE_TYPES[entry.itemType]).u64(entry.value.length);
      for (const item of entry.value) writer.scalar(entry.itemType, item);
    } else {
      writer.u32(VALUE_TYPES[entry.type]).scalar(entry.type, entry.value);
    }
  }
  let offset = 0;
  for (const tensor of tensors) {
    writer.string(tensor.name).u32(tensor.dims.length);
    for (const dim of tensor.dims) writer.u64(dim);
    writer.u32(GGML_TYPES[tensor.type]).u64(offset);
    offset = alignUp(offset + sizeOf(tensor), alignment);
  }
  writer.bytes(Buffer.alloc(alignUp(writer.lengthBytes, alignment) - writer.lengthBytes));
  for (const [index, tensor] of tensors.entries()) {
    const size = sizeOf(tensor);
    writer.bytes(Uint8Array.from({ length: size }, (_, i) => (i + index * 7) % 251));
    writer.bytes(Buffer.alloc(alignUp(size, alignment) - size));
  }
  return writer.done();
}

export function sizeOf({ dims, type }: TensorSource): number {
  const { elements, bytes } = BLOCK_LAYOUTS[type];
  return (dims.reduce((product, dim) => product * dim, 1) / elements) * bytes;
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** A valid model of one layer: hidden 64, 2 heads over 1 KV head of 32, feed-forward 96, 8 tokens. */
export function tinyModel(architecture: 'qwen2' | 'llama'): GgufSource {
  const number = (key: string, value: number, type: ScalarType = 'u32'): Entry => ({
    key: `${architecture}.${key}`,
    type,
    value,
  });
  const matrix = (name: string, dims: number[], type: GgmlTypeName = 'Q8_0'): TensorSource => ({
    name,
    dims,
    type,
  });
  const vector = (name: string, dim: number): TensorSource => ({ name, dims: [dim], type: 'F32' });
  const biases = [vector('blk.0.attn_q.bias', 64), vector('blk.0.attn_k.bias', 32)];
  return {
    metadata: [
      { key: 'general.architecture', type: 'string', value: architecture },
      { key: 'general.name', type: 'string', value: `Tiny ${architecture}` },
      number('block_count', 1),
      number('context_length', 512),
      number('embedding_length', 64),
      number('feed_forward_length', 96),
      number('attention.head_count', 2),
      number('attention.head_count_kv', 1),
      number('rope.freq_base', 10000, 'f32'),
      number('attention.layer_norm_rms_epsilon', 1e-6, 'f32'),
      { key: 'tokenizer.ggml.model', type: 'string', value: 'gpt2' },
      {
        key: 'tokenizer.ggml.tokens',
        type: 'array',
        itemType: 'string',
        value: ['a', 'b', 'c', 'Ġd', 'ef', 'gh', 'ü', '<|end|>'],
      },
      { key: 'tokenizer.ggml.token_type', type: 'array', itemType: 'i32', value: [1, 1, 1, 1, 1, 1, 1, 3] },
      { key: 'tokenizer.ggml.add_bos_token', type: 'bool', value: false },
    ],
    tensors: [
      matrix('token_embd.weight', [64, 8]),
      vector('output_norm.weight', 64),
      ...(architecture === 'qwen2' ? [matrix('output.weight', [64, 8], 'Q5_0')] : []),
      vector('blk.0.attn_norm.weight', 64),
      matrix('blk.0.attn_q.weight', [64, 64], 'Q4_1'),
      matrix('blk.0.attn_k.weight', [64, 32], 'F16'),
      matrix('blk.0.attn_v.weight', [64, 32]),
      matrix('blk.0.attn_output.weight', [64, 64]),
      vector('blk.0.ffn_norm.weight', 64),
      matrix('blk.0.ffn_gate.weight', [64, 96]),
      matrix('blk.0.ffn_up.weight', [64, 96]),
      matrix('blk.0.ffn_down.weight', [96, 64]),
      ...(architecture === 'qwen2' ? [...biases, vector('blk.0.attn_v.bias', 32)] : []),
    ],
  };
}
