import { BLOCK_LAYOUTS } from './block-layout';
import type { GgmlTypeName } from './gguf-file';
import { halfToNumber } from './half';
import { type PlainTypeName, type UnpackedBlocks, unpackBlocks } from './unpack-blocks';

/**
 * The values of a tensor, or of any run of whole blocks of it, bit for bit as ggml's reference gives them.
 *
 * @throws RangeError when `bytes` and `elementCount` do not describe the same whole blocks
 */
export function dequantize(type: GgmlTypeName, bytes: Uint8Array, elementCount: number): Float32Array {
  if (!isPlain(type)) return valuesOf(unpackBlocks(type, bytes, elementCount));
  if (bytes.length !== elementCount * BLOCK_LAYOUTS[type].bytes) {
    throw new RangeError(`${bytes.length} bytes are not ${elementCount} elements of ${type}`);
  }
  const values = new Float32Array(elementCount);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === 'F32') {
    for (let i = 0; i < elementCount; i++) values[i] = view.getFloat32(i * 4, true);
  } else if (type === 'F16') {
    for (let i = 0; i < elementCount; i++) values[i] = halfToNumber(view.getUint16(i * 2, true));
  } else {
    // The upper half of a float32.
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < elementCount; i++) bits[i] = view.getUint16(i * 2, true) << 16;
  }
  return values;
}

function isPlain(type: GgmlTypeName): type is PlainTypeName {
  return type === 'F32' || type === 'F16' || type === 'BF16';
}

function valuesOf(blocks: UnpackedBlocks): Float32Array {
  const { blockElements, bits, zeroPoint, codes, scales, mins } = blocks;
  const values = new Float32Array(scales.length * blockElements);
  for (let block = 0; block < scales.length; block++) {
    const scale = scales[block] ?? 0;
    const min = mins?.[block] ?? 0;
    const start = block * blockElements;
    for (let i = start; i < start + blockElements; i++) {
      const code = bits === 8 ? (codes[i] ?? 0) : ((codes[i >> 1] ?? 0) >> ((i & 1) * 4)) & 0xf;
      // Two roundings to fp32, as the reference rounds: after the product and after the difference.
      const product = Math.fround(scale * (code - zeroPoint));
      values[i] = mins ? product - min : product;
    }
  }
  return values;
}
