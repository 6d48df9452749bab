import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { BLOCK_LAYOUTS } from '../../../../../server/models/gguf/block-layout';
import { dequantize } from '../../../../../server/models/gguf/dequantize';
import { GGML_TYPES, type GgmlTypeName } from '../../../../../server/models/gguf/gguf-file';
import { halfToNumber } from '../../../../../server/models/gguf/half';
import { type QuantizedTypeName, unpackBlocks } from '../../../../../server/models/gguf/unpack-blocks';

/** Made by scripts/goldens/gguf/make.py with the Python package `gguf`. */
function golden(type: GgmlTypeName): { blocks: Uint8Array; values: Float32Array } {
  const blocks = new Uint8Array(readFileSync(`test/fixtures/gguf/${type}.blocks.bin`));
  const values = new Uint8Array(readFileSync(`test/fixtures/gguf/${type}.f32.bin`));
  return { blocks, values: new Float32Array(values.buffer) };
}

/** The bits of each value; every NaN counts as the same. */
function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.map((value) => (Number.isNaN(value) ? NaN : value)).buffer);
}

const TYPES = Object.keys(GGML_TYPES) as GgmlTypeName[];
const QUANTIZED = TYPES.filter((type): type is QuantizedTypeName => !['F32', 'F16', 'BF16'].includes(type));

suite('dequantize', () => {
  for (const type of TYPES) {
    test(`${type} equals the reference bit for bit on random blocks`, () => {
      const { blocks, values } = golden(type);
      const ours = dequantize(type, blocks, values.length);
      assert.ok(values.length >= 2048);
      assert.deepEqual(bitsOf(ours), bitsOf(values));
    });

    test(`${type} reads blocks at an odd place in a buffer`, () => {
      const { blocks, values } = golden(type);
      const shifted = new Uint8Array(blocks.length + 3);
      shifted.set(blocks, 3);
      assert.deepEqual(bitsOf(dequantize(type, shifted.subarray(3), values.length)), bitsOf(values));
    });

    test(`${type} refuses bytes that are not whole blocks`, () => {
      const { elements, bytes } = BLOCK_LAYOUTS[type];
      assert.throws(() => dequantize(type, new Uint8Array(bytes - 1), elements), RangeError);
      assert.throws(() => dequantize(type, new Uint8Array(bytes), elements + 1), RangeError);
    });
  }
});

suite('unpackBlocks', () => {
  for (const type of QUANTIZED) {
    test(`${type} gives codes, scales and mins that make up the reference's values`, () => {
      const { blocks, values } = golden(type);
      const { blockElements, bits, zeroPoint, codes, scales, mins } = unpackBlocks(
        type,
        blocks,
        values.length,
      );
      assert.equal(scales.length, values.length / blockElements);
      assert.equal(codes.length, (values.length * bits) / 8);
      const rebuilt = values.map((_, i) => {
        const block = Math.floor(i / blockElements);
        const code = bits === 8 ? codes[i]! : (codes[Math.floor(i / 2)]! >> (i % 2 === 0 ? 0 : 4)) & 15;
        const product = Math.fround(scales[block]! * (code - zeroPoint));
        return mins ? product - mins[block]! : product;
      });
      assert.deepEqual(bitsOf(rebuilt), bitsOf(values));
    });
  }

  test('has the block size, width and minimum that each format needs', () => {
    const shapes = QUANTIZED.map((type) => {
      const { blocks, values } = golden(type);
      const { blockElements, bits, zeroPoint, mins } = unpackBlocks(type, blocks, values.length);
      return [type, blockElements, bits, zeroPoint, mins !== undefined];
    });
    assert.deepEqual(shapes, [
      ['Q4_1', 32, 4, 0, true],
      ['Q5_0', 32, 8, 128, false],
      ['Q8_0', 32, 8, 128, false],
      ['Q4_K', 32, 4, 0, true],
      ['Q6_K', 16, 8, 128, false],
    ]);
  });
});

suite('halfToNumber', () => {
  test('gives the value of every one of the 65,536 halves', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      assert.ok(Object.is(halfToNumber(bits), referenceHalf(bits)), `0x${bits.toString(16)}`);
    }
  });
});

/** By widening the bit fields to those of a single, as the standard lays them out. */
function referenceHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  if (exponent === 0) return sign * ((bits & 0x3ff) / 1024) * 2 ** -14;
  const widened = exponent === 0x1f ? 0xff : exponent - 15 + 127;
  const single = new DataView(new ArrayBuffer(4));
  single.setUint32(0, ((bits & 0x8000) << 16) | (widened << 23) | ((bits & 0x3ff) << 13));
  return single.getFloat32(0);
}
