import {
  type Attribute,
  type Dimension,
  encodeModel,
  MICROSOFT_DOMAIN,
  type OnnxType,
  type TensorMessage,
  type ValueMessage,
} from './onnx-proto';

/** A tensor that flows through the graph under construction. */
export class Value {
  constructor(public name: string) {}
}

/** An optional input that is left out, or an optional output that nobody reads. */
export const NOTHING: Readonly<Value> = Object.freeze(new Value(''));

export type Attributes = Readonly<Record<string, Attribute>>;

interface Node {
  op: string;
  domain: string;
  name: string;
  inputs: readonly Readonly<Value>[];
  outputs: readonly Readonly<Value>[];
  attributes: Attributes;
}

/** Collects nodes, constants, inputs and outputs of one ONNX graph, and names what flows between them. */
export class GraphBuilder {
  private readonly nodes: Node[] = [];
  private readonly initializers = new Map<string, TensorMessage>();
  private readonly inputs: ValueMessage[] = [];
  private readonly outputs: ValueMessage[] = [];
  private readonly timesUsed = new Map<string, number>();

  input(name: string, type: OnnxType, dims: readonly Dimension[]): Value {
    this.inputs.push({ name, type, dims });
    return new Value(name);
  }

  /** Makes the result of a node an output of the graph, called `name` from now on. */
  output(name: string, type: OnnxType, dims: readonly Dimension[], value: Value): void {
    value.name = name;
    this.outputs.push({ name, type, dims });
  }

  /** A constant; the same name again gives the same constant. */
  constant(tensor: TensorMessage): Value {
    if (!this.initializers.has(tensor.name)) this.initializers.set(tensor.name, tensor);
    return new Value(tensor.name);
  }

  int64s(name: string, values: readonly number[]): Value {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.constant({ name, type: 'int64', dims: [values.length], data });
  }

  float32s(name: string, dims: readonly number[], values: Float32Array): Value {
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return this.constant({ name, type: 'float32', dims, data });
  }

  /** A node of the standard operator set; returns its only output. */
  op(op: string, inputs: readonly Readonly<Value>[], attributes: Attributes = {}): Value {
    const output = this.newValue(op);
    this.add(op, '', inputs, [output], attributes);
    return output;
  }

  /** A node of onnxruntime's own operator set; returns its first output. */
  microsoftOp(op: string, inputs: readonly Readonly<Value>[], attributes: Attributes = {}): Value {
    const output = this.newValue(op);
    this.add(op, MICROSOFT_DOMAIN, inputs, [output], attributes);
    return output;
  }

  /** A node of onnxruntime's own operator set whose outputs, made with `newValue`, are listed by position. */
  microsoftNode(
    op: string,
    inputs: readonly Readonly<Value>[],
    outputs: readonly Readonly<Value>[],
    attributes: Attributes = {},
  ): void {
    this.add(op, MICROSOFT_DOMAIN, inputs, outputs, attributes);
  }

  /** A value with a fresh name that begins with `label`. */
  newValue(label: string): Value {
    const count = this.timesUsed.get(label) ?? 0;
    this.timesUsed.set(label, count + 1);
    return new Value(`${label}:${count}`);
  }

  /** The graph as a serialised ONNX model. */
  toModel(): Uint8Array {
    const names = (values: readonly Readonly<Value>[]) => values.map((value) => value.name);
    return encodeModel({
      nodes: this.nodes.map((node) => ({
        ...node,
        inputs: names(node.inputs),
        outputs: names(node.outputs),
      })),
      initializers: [...this.initializers.values()],
      inputs: this.inputs,
      outputs: this.outputs,
    });
  }

  private add(
    op: string,
    domain: string,
    inputs: readonly Readonly<Value>[],
    outputs: readonly Readonly<Value>[],
    attributes: Attributes,
  ): void {
    this.nodes.push({ op, domain, name: `node${this.nodes.length}`, inputs, outputs, attributes });
  }
}
