/**
 * Writes the part of the ONNX format (a protobuf schema) that a generated decoder needs. Field numbers
 * are those of `onnx.proto3`; each writer names the message it makes.
 */

/** ONNX element types by the numbers of `TensorProto.DataType`. */
export const ONNX_TYPES = { float32: 1, uint8: 2, int32: 6, int64: 7, float16: 10 } as const;
export type OnnxType = keyof typeof ONNX_TYPES;

/** A fixed size, or the name of one that is known only when the graph runs. */
export type Dimension = number | string;

export type Attribute = { int: number } | { float: number };

export interface NodeMessage {
  op: string;
  /** Operator set; empty is the standard one. */
  domain: string;
  name: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
}

export interface ValueMessage {
  name: string;
  type: OnnxType;
  dims: readonly Dimension[];
}

/** A constant: its bytes here, or a range of a file beside the model. */
export interface TensorMessage {
  name: string;
  type: OnnxType;
  dims: readonly number[];
  data: Uint8Array | { location: string; offsetBytes: number; sizeBytes: number };
}

export interface GraphMessage {
  nodes: readonly NodeMessage[];
  initializers: readonly TensorMessage[];
  inputs: readonly ValueMessage[];
  outputs: readonly ValueMessage[];
}

const IR_VERSION = 10;
const STANDARD_OPSET = 21;
export const MICROSOFT_DOMAIN = 'com.microsoft';
const MICROSOFT_OPSET = 1;

/** Serialises a graph as an ONNX `ModelProto`. */
export function encodeModel(graph: GraphMessage): Uint8Array {
  return new ProtoWriter()
    .int(1, IR_VERSION)
    .string(2, 'longview')
    .message(7, encodeGraph(graph))
    .message(8, encodeOpset('', STANDARD_OPSET))
    .message(8, encodeOpset(MICROSOFT_DOMAIN, MICROSOFT_OPSET))
    .toBytes();
}

function encodeGraph(graph: GraphMessage): ProtoWriter {
  const writer = new ProtoWriter();
  for (const node of graph.nodes) writer.message(1, encodeNode(node));
  writer.string(2, 'decoder');
  for (const tensor of graph.initializers) writer.message(5, encodeTensor(tensor));
  for (const value of graph.inputs) writer.message(11, encodeValue(value));
  for (const value of graph.outputs) writer.message(12, encodeValue(value));
  return writer;
}

function encodeOpset(domain: string, version: number): ProtoWriter {
  return new ProtoWriter().string(1, domain).int(2, version);
}

function encodeNode(node: NodeMessage): ProtoWriter {
  const writer = new ProtoWriter();
  for (const input of node.inputs) writer.string(1, input);
  for (const output of node.outputs) writer.string(2, output);
  writer.string(3, node.name).string(4, node.op);
  for (const [name, value] of Object.entries(node.attributes))
    writer.message(5, encodeAttribute(name, value));
  return writer.string(7, node.domain);
}

const ATTRIBUTE_KINDS = { float: 1, int: 2 } as const;

function encodeAttribute(name: string, value: Attribute): ProtoWriter {
  const writer = new ProtoWriter().string(1, name);
  if ('float' in value) return writer.float(2, value.float).int(20, ATTRIBUTE_KINDS.float);
  return writer.int(3, value.int).int(20, ATTRIBUTE_KINDS.int);
}

function encodeTensor(tensor: TensorMessage): ProtoWriter {
  const writer = new ProtoWriter();
  for (const dim of tensor.dims) writer.int(1, dim);
  writer.int(2, ONNX_TYPES[tensor.type]).string(8, tensor.name);
  if (tensor.data instanceof Uint8Array) return writer.bytes(9, tensor.data);
  const entry = (key: string, value: string) => new ProtoWriter().string(1, key).string(2, value);
  const external = 1;
  return writer
    .message(13, entry('location', tensor.data.location))
    .message(13, entry('offset', String(tensor.data.offsetBytes)))
    .message(13, entry('length', String(tensor.data.sizeBytes)))
    .int(14, external);
}

function encodeValue(value: ValueMessage): ProtoWriter {
  const shape = new ProtoWriter();
  for (const dim of value.dims) {
    shape.message(
      1,
      typeof dim === 'string' ? new ProtoWriter().string(2, dim) : new ProtoWriter().int(1, dim),
    );
  }
  const tensorType = new ProtoWriter().int(1, ONNX_TYPES[value.type]).message(2, shape);
  return new ProtoWriter().string(1, value.name).message(2, new ProtoWriter().message(1, tensorType));
}

const WIRE = { varint: 0, lengthDelimited: 2, fixed32: 5 } as const;

/** One protobuf message under construction; parts are joined once, at the end. */
class ProtoWriter {
  private readonly parts: Uint8Array[] = [];
  private sizeBytes = 0;

  int(field: number, value: number): this {
    return this.tag(field, WIRE.varint).varint(value);
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.tag(field, WIRE.fixed32).append(bytes);
  }

  bytes(field: number, value: Uint8Array): this {
    return this.tag(field, WIRE.lengthDelimited).varint(value.length).append(value);
  }

  string(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value, 'utf8'));
  }

  message(field: number, value: ProtoWriter): this {
    this.tag(field, WIRE.lengthDelimited).varint(value.sizeBytes);
    for (const part of value.parts) this.append(part);
    return this;
  }

  toBytes(): Uint8Array {
    return Buffer.concat(this.parts, this.sizeBytes);
  }

  private tag(field: number, wire: number): this {
    return this.varint((field << 3) | wire);
  }

  /** Seven bits a byte, least significant first; a negative number takes ten, as 64-bit two's complement. */
  private varint(value: number): this {
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    while (rest >= 128n) {
      bytes.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    return this.append(Uint8Array.from(bytes));
  }

  private append(part: Uint8Array): this {
    this.parts.push(part);
    this.sizeBytes += part.length;
    return this;
  }
}
