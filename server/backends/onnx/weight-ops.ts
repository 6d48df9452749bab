import type { BlockMatrix, Matrix, PlainMatrix, Region, WeightsManifest } from './converted-weights';
import { WEIGHTS_FILE } from './converted-weights';
import type { GraphBuilder, Value } from './graph-builder';
import type { OnnxType } from './onnx-proto';

/** 0 keeps activations in float32; 4 rounds them to int8 per block, which is several times faster. */
export type MatmulAccuracy = 0 | 4;

/** Emits the operations that have weights: linear layers and the embedding, over one weights file. */
export class WeightOps {
  private readonly blockSums = new Map<Value, Value>();

  constructor(
    private readonly graph: GraphBuilder,
    private readonly manifest: WeightsManifest,
    private readonly accuracy: Readonly<Record<BlockMatrix['bits'], MatmulAccuracy>>,
  ) {}

  /** A float32 vector by its GGUF name. */
  vector(name: string): Value {
    const region = this.manifest.vectors[name];
    if (!region) throw new Error(`the converted weights lack the vector ${name}`);
    return this.external(name, 'float32', [region.sizeBytes / 4], region);
  }

  /** `[1, S, columns]` times the matrix to `[1, S, rows]`, plus the bias where one is named. */
  linear(name: string, input: Value, biasName?: string): Value {
    const matrix = this.matrix(name);
    const product =
      matrix.kind === 'plain' ? this.plainLinear(name, matrix, input) : this.blockLinear(name, matrix, input);
    return biasName === undefined ? product : this.graph.op('Add', [product, this.vector(biasName)]);
  }

  /** Rows of the matrix for ids `[1, S]`, as `[1, S, columns]`, with exactly the values of the GGUF file. */
  embedding(name: string, ids: Value): Value {
    const matrix = this.matrix(name);
    return matrix.kind === 'plain'
      ? this.toFloat32(matrix, this.graph.op('Gather', [this.plainValues(name, matrix), ids]))
      : this.blockEmbedding(name, matrix, ids);
  }

  private plainLinear(name: string, matrix: PlainMatrix, input: Value): Value {
    const weight = this.toFloat32(matrix, this.plainValues(name, matrix));
    return this.timesTransposed(input, weight);
  }

  private blockLinear(name: string, matrix: BlockMatrix, input: Value): Value {
    const { rows, columns, bits, blockSize } = matrix;
    const blocks = columns / blockSize;
    const codes = this.external(
      `${name}/linear`,
      'uint8',
      [rows, blocks, (blockSize * bits) / 8],
      matrix.codes,
    );
    const scales = this.external(`${name}/linear-scales`, 'float32', [rows * blocks], matrix.scales);
    const product = this.graph.microsoftOp('MatMulNBits', [input, codes, scales], {
      K: { int: columns },
      N: { int: rows },
      bits: { int: bits },
      block_size: { int: blockSize },
      accuracy_level: { int: this.accuracy[bits] },
    });
    if (!matrix.offsets) return product;
    // An offset is the same for a whole block, so it meets only the sum of the block's activations.
    const offsets = this.external(`${name}/offsets`, 'float32', [rows, blocks], matrix.offsets);
    const shift = this.timesTransposed(this.sumsOfBlocks(input, matrix), offsets);
    return this.graph.op('Add', [product, shift]);
  }

  /** Sums of `blockSize` neighbours, shared by all matrices that read the same activations. */
  private sumsOfBlocks(input: Value, matrix: BlockMatrix): Value {
    const known = this.blockSums.get(input);
    if (known) return known;
    const { columns, blockSize } = matrix;
    // A product with ones: ReduceSum returns an input without rows unchanged, in the wrong shape.
    const ones = this.graph.float32s(
      `ones-${blockSize}`,
      [blockSize, 1],
      new Float32Array(blockSize).fill(1),
    );
    const summed = this.graph.op('MatMul', [this.inBlocks(input, matrix), ones]);
    const shape = this.graph.int64s(`sums-to-${columns / blockSize}`, [0, 0, columns / blockSize]);
    const sums = this.graph.op('Reshape', [summed, shape]);
    this.blockSums.set(input, sums);
    return sums;
  }

  private blockEmbedding(name: string, matrix: BlockMatrix, ids: Value): Value {
    const { rows, columns, bits, blockSize } = matrix;
    const blocks = columns / blockSize;
    const codes = this.external(`${name}/table`, 'uint8', [rows, (columns * bits) / 8], matrix.codes);
    const scales = this.external(`${name}/table-scales`, 'float32', [rows, blocks], matrix.scales);
    const gathered = this.graph.microsoftOp('GatherBlockQuantized', [codes, ids, scales], {
      gather_axis: { int: 0 },
      quantize_axis: { int: 1 },
      bits: { int: bits },
      block_size: { int: blockSize },
    });
    if (!matrix.offsets) return gathered;
    const table = this.external(`${name}/offsets`, 'float32', [rows, blocks], matrix.offsets);
    const offsets = this.graph.op('Unsqueeze', [
      this.graph.op('Gather', [table, ids]),
      this.graph.int64s('last-axis', [-1]),
    ]);
    const shifted = this.graph.op('Add', [this.inBlocks(gathered, matrix), offsets]);
    return this.graph.op('Reshape', [shifted, this.graph.int64s(`join-to-${columns}`, [0, 0, columns])]);
  }

  /** `[1, S, columns]` as `[1, S, blocks, blockSize]`. No size is left to infer: S may be 0. */
  private inBlocks(value: Value, { columns, blockSize }: BlockMatrix): Value {
    const blocks = columns / blockSize;
    const shape = this.graph.int64s(`split-to-${blocks}x${blockSize}`, [0, 0, blocks, blockSize]);
    return this.graph.op('Reshape', [value, shape]);
  }

  /** Reads the matrix as stored, `[rows, columns]`; a Transpose would cost a second copy in memory. */
  private timesTransposed(input: Value, matrix: Value): Value {
    return this.graph.microsoftOp('FusedMatMul', [input, matrix], { transB: { int: 1 } });
  }

  private plainValues(name: string, matrix: PlainMatrix): Value {
    return this.external(name, matrix.type, [matrix.rows, matrix.columns], matrix.values);
  }

  private toFloat32(matrix: PlainMatrix, value: Value): Value {
    return matrix.type === 'float32' ? value : this.graph.op('Cast', [value], { to: { int: 1 } });
  }

  private matrix(name: string): Matrix {
    const matrix = this.manifest.matrices[name];
    if (!matrix) throw new Error(`the converted weights lack the matrix ${name}`);
    return matrix;
  }

  private external(name: string, type: OnnxType, dims: readonly number[], region: Region): Value {
    return this.graph.constant({ name, type, dims, data: { location: WEIGHTS_FILE, ...region } });
  }
}
