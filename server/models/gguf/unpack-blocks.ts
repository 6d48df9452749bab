import { BLOCK_LAYOUTS } from './block-layout';
import type { GgmlTypeName } from './gguf-file';
import { halfToNumber } from './half';

/** Formats that store each element by itself. */
export type PlainTypeName = 'F32' | 'F16' | 'BF16';
export type QuantizedTypeName = Exclude<GgmlTypeName, PlainTypeName>;

/**
 * A quantised tensor as plain numbers, in element order and without loss. Element `i` of block
 * `b = floor(i / blockElements)` is, in fp32 arithmetic, `scales[b] * (code - zeroPoint) - mins[b]`.
 */
export interface UnpackedBlocks {
  /** Elements that share one scale: 16 for Q6_K, else 32. */
  readonly blockElements: 16 | 32;
  /** 8: one code a byte. 4: two codes a byte, the earlier one in the low half. */
  readonly bits: 4 | 8;
  /** 128 for the symmetric formats of 8 bits, which have no `mins`; 0 for those of 4 bits. */
  readonly zeroPoint: 0 | 128;
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  /** One for each block of Q4_1 and Q4_K; absent for the others. */
  readonly mins?: Float32Array;
}

const UNPACK: Readonly<Record<QuantizedTypeName, (bytes: Uint8Array, blockCount: number) => UnpackedBlocks>> =
  { Q4_1: unpackQ4_1, Q5_0: unpackQ5_0, Q8_0: unpackQ8_0, Q4_K: unpackQ4_K, Q6_K: unpackQ6_K };

/**
 * Separates blocks into codes, scales and mins, the form that blockwise matrix products take.
 *
 * @param bytes whole blocks in file order; any run of whole rows of a tensor will do
 * @throws RangeError when `bytes` and `elementCount` do not describe the same whole blocks
 */
export function unpackBlocks(
  type: QuantizedTypeName,
  bytes: Uint8Array,
  elementCount: number,
): UnpackedBlocks {
  const blockCount = elementCount / BLOCK_LAYOUTS[type].elements;
  if (!Number.isInteger(blockCount) || bytes.length !== blockCount * BLOCK_LAYOUTS[type].bytes) {
    throw new RangeError(`${bytes.length} bytes are not ${elementCount} elements of ${type}`);
  }
  return UNPACK[type](bytes, blockCount);
}

/** 32 elements: half scale, half minimum to add, 16 bytes of which low halves come first. */
function unpackQ4_1(bytes: Uint8Array, blockCount: number): UnpackedBlocks {
  const codes = new Uint8Array(blockCount * 16);
  const scales = new Float32Array(blockCount);
  const mins = new Float32Array(blockCount);
  for (let block = 0; block < blockCount; block++) {
    const from = block * 20;
    scales[block] = halfAt(bytes, from);
    mins[block] = -halfAt(bytes, from + 2);
    packPairs(bytes, from + 4, 16, codes, block * 16);
  }
  return { blockElements: 32, bits: 4, zeroPoint: 0, codes, scales, mins };
}

/** 32 elements: half scale, 32 fifth bits, 16 bytes as in Q4_1; the value is `scale * (code - 16)`. */
function unpackQ5_0(bytes: Uint8Array, blockCount: number): UnpackedBlocks {
  const codes = new Uint8Array(blockCount * 32);
  const scales = new Float32Array(blockCount);
  for (let block = 0; block < blockCount; block++) {
    const from = block * 22;
    const to = block * 32;
    scales[block] = halfAt(bytes, from);
    const fifthBits =
      byteAt(bytes, from + 2) |
      (byteAt(bytes, from + 3) << 8) |
      (byteAt(bytes, from + 4) << 16) |
      (byteAt(bytes, from + 5) << 24);
    for (let i = 0; i < 16; i++) {
      const pair = byteAt(bytes, from + 6 + i);
      codes[to + i] = ((pair & 0xf) | (((fifthBits >>> i) & 1) << 4)) + 112;
      codes[to + 16 + i] = ((pair >> 4) | (((fifthBits >>> (i + 16)) & 1) << 4)) + 112;
    }
  }
  return { blockElements: 32, bits: 8, zeroPoint: 128, codes, scales };
}

/** 32 elements: half scale, 32 signed bytes. */
function unpackQ8_0(bytes: Uint8Array, blockCount: number): UnpackedBlocks {
  const codes = new Uint8Array(blockCount * 32);
  const scales = new Float32Array(blockCount);
  for (let block = 0; block < blockCount; block++) {
    const from = block * 34;
    const to = block * 32;
    scales[block] = halfAt(bytes, from);
    for (let i = 0; i < 32; i++) codes[to + i] = byteAt(bytes, from + 2 + i) ^ 0x80;
  }
  return { blockElements: 32, bits: 8, zeroPoint: 128, codes, scales };
}

/**
 * 256 elements in 8 sub-blocks: two halves that multiply the 6-bit scales and mins packed into 12 bytes, then
 * 128 bytes, 32 for each two sub-blocks, the low halves being the first.
 */
function unpackQ4_K(bytes: Uint8Array, blockCount: number): UnpackedBlocks {
  const codes = new Uint8Array(blockCount * 128);
  const scales = new Float32Array(blockCount * 8);
  const mins = new Float32Array(blockCount * 8);
  for (let block = 0; block < blockCount; block++) {
    const from = block * 144;
    const scale = halfAt(bytes, from);
    const min = halfAt(bytes, from + 2);
    for (let sub = 0; sub < 4; sub++) {
      const a = byteAt(bytes, from + 4 + sub);
      const b = byteAt(bytes, from + 8 + sub);
      const c = byteAt(bytes, from + 12 + sub);
      scales[block * 8 + sub] = scale * (a & 0x3f);
      mins[block * 8 + sub] = min * (b & 0x3f);
      scales[block * 8 + 4 + sub] = scale * ((c & 0xf) | ((a >> 2) & 0x30));
      mins[block * 8 + 4 + sub] = min * ((c >> 4) | ((b >> 2) & 0x30));
    }
    for (let pair = 0; pair < 4; pair++) {
      packPairs(bytes, from + 16 + pair * 32, 32, codes, block * 128 + pair * 32);
    }
  }
  return { blockElements: 32, bits: 4, zeroPoint: 0, codes, scales, mins };
}

/**
 * 256 elements in 16 sub-blocks: 128 bytes of low halves, 64 bytes of upper bit pairs, 16 signed scales and the
 * half that multiplies them. Each half of 128 elements spreads over 64 and 32 of those bytes.
 */
function unpackQ6_K(bytes: Uint8Array, blockCount: number): UnpackedBlocks {
  const codes = new Uint8Array(blockCount * 256);
  const scales = new Float32Array(blockCount * 16);
  for (let block = 0; block < blockCount; block++) {
    const from = block * 210;
    const scale = halfAt(bytes, from + 208);
    for (let sub = 0; sub < 16; sub++) {
      scales[block * 16 + sub] = scale * ((byteAt(bytes, from + 192 + sub) << 24) >> 24);
    }
    for (let half = 0; half < 2; half++) {
      const low = from + half * 64;
      const high = from + 128 + half * 32;
      const to = block * 256 + half * 128;
      for (let i = 0; i < 32; i++) {
        const a = byteAt(bytes, low + i);
        const b = byteAt(bytes, low + 32 + i);
        const upper = byteAt(bytes, high + i);
        codes[to + i] = ((a & 0xf) | ((upper & 3) << 4)) + 96;
        codes[to + 32 + i] = ((b & 0xf) | (((upper >> 2) & 3) << 4)) + 96;
        codes[to + 64 + i] = ((a >> 4) | (((upper >> 4) & 3) << 4)) + 96;
        codes[to + 96 + i] = ((b >> 4) | ((upper >> 6) << 4)) + 96;
      }
    }
  }
  return { blockElements: 16, bits: 8, zeroPoint: 128, codes, scales };
}

/** From bytes that hold elements `i` and `i + count` to bytes that hold neighbours. `count` is even. */
function packPairs(bytes: Uint8Array, from: number, count: number, codes: Uint8Array, to: number): void {
  const half = count / 2;
  for (let i = 0; i < half; i++) {
    const even = byteAt(bytes, from + 2 * i);
    const odd = byteAt(bytes, from + 2 * i + 1);
    codes[to + i] = (even & 0xf) | ((odd & 0xf) << 4);
    codes[to + half + i] = (even >> 4) | (odd & 0xf0);
  }
}

function halfAt(bytes: Uint8Array, at: number): number {
  return halfToNumber(byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8));
}

/** The length was checked before: the fallback only satisfies the compiler, and costs nothing measurable. */
function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
