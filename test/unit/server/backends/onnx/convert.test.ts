import assert from 'node:assert/strict';
import { convertTensors } from '../../../../../server/backends/onnx/convert';
import type { BlockMatrix, Region } from '../../../../../server/backends/onnx/converted-weights';
import { dequantize } from '../../../../../server/models/gguf/dequantize';
import { openGguf } from '../../../../../server/models/gguf/open-gguf';
import { pathOf, TINY_MODELS } from './tiny-models';

/** Keeps what is written in memory. */
class MemorySink {
  private readonly parts = new Map<number, Uint8Array>();
  private end = 0;

  append(bytes: Uint8Array): Promise<Region> {
    const region = { offsetBytes: this.end, sizeBytes: bytes.length };
    this.parts.set(this.end, bytes.slice());
    this.end += bytes.length + 1;
    return Promise.resolve(region);
  }

  bytes(region: Region): Uint8Array {
    const part = this.parts.get(region.offsetBytes);
    assert.equal(part?.length, region.sizeBytes);
    return part;
  }

  floats(region: Region): Float32Array {
    return new Float32Array(this.bytes(region).buffer);
  }
}

/** Weights as `converted-weights.ts` defines them, in double precision. */
function weightsOf(matrix: BlockMatrix, sink: MemorySink): Float64Array {
  const codes = sink.bytes(matrix.codes);
  const scales = sink.floats(matrix.scales);
  const offsets = matrix.offsets && sink.floats(matrix.offsets);
  return Float64Array.from({ length: matrix.rows * matrix.columns }, (_, i) => {
    const block = Math.floor(i / matrix.blockSize);
    const code = matrix.bits === 8 ? codes[i]! : (codes[i >> 1]! >> ((i & 1) * 4)) & 15;
    return (code - 2 ** (matrix.bits - 1)) * scales[block]! + (offsets ? offsets[block]! : 0);
  });
}

suite('conversion of GGUF weights', () => {
  const seen = new Set<string>();

  for (const model of TINY_MODELS) {
    test(`${model}: every weight keeps its value`, async () => {
      const gguf = await openGguf(pathOf(model));
      try {
        const sink = new MemorySink();
        const fractions: number[] = [];
        const { matrices, vectors } = await convertTensors(gguf, sink, (f) => fractions.push(f));
        for (const tensor of gguf.tensors.values()) {
          const raw = await gguf.readTensor(tensor.name);
          const expected = dequantize(tensor.type, raw, tensor.elementCount);
          seen.add(tensor.type);
          const matrix = matrices[tensor.name];
          if (!matrix) {
            assert.deepEqual(sink.floats(vectors[tensor.name]!), expected);
          } else if (matrix.kind === 'plain') {
            assert.deepEqual(sink.bytes(matrix.values), raw);
          } else if (!matrix.offsets) {
            const weights = weightsOf(matrix, sink);
            assert.equal(
              weights.findIndex((weight, i) => weight !== expected[i]),
              -1,
              tensor.name,
            );
          } else {
            const greatest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
            for (const [i, weight] of weightsOf(matrix, sink).entries()) {
              assert.ok(Math.abs(weight - expected[i]!) <= 1.2e-7 * greatest, `${tensor.name}[${i}]`);
            }
          }
        }
        assert.equal(fractions.at(-1), 1);
      } finally {
        await gguf.close();
      }
    });
  }

  test('the models above hold every format', () => {
    assert.deepEqual([...seen].sort(), ['F16', 'F32', 'Q4_1', 'Q4_K', 'Q5_0', 'Q6_K', 'Q8_0']);
  });
});
