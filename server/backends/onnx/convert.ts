import { dequantize } from '../../models/gguf/dequantize';
import type { GgufFile, GgufTensor } from '../../models/gguf/gguf-file';
import { unpackBlocks } from '../../models/gguf/unpack-blocks';
import type { Matrix, Region, WeightsManifest } from './converted-weights';

/** Takes the converted bytes in order. */
export interface WeightsSink {
  /** Appends `bytes`, aligned, and says where they lie. */
  append(bytes: Uint8Array): Promise<Region>;
}

/** What a conversion knows of its result; the rest of the manifest comes from the file that holds it. */
export type ConvertedTensors = Pick<WeightsManifest, 'matrices' | 'vectors'>;

/**
 * Writes every tensor of `gguf` in a form that onnxruntime computes with. No weight is quantised again:
 * codes and scales are taken over as they are.
 *
 * @param onProgress the share done, 0 to 1
 */
export async function convertTensors(
  gguf: GgufFile,
  sink: WeightsSink,
  onProgress: (fraction: number) => void,
): Promise<ConvertedTensors> {
  const tensors = [...gguf.tensors.values()];
  const totalBytes = tensors.reduce((sum, tensor) => sum + tensor.sizeBytes, 0);
  const converted: ConvertedTensors = { matrices: {}, vectors: {} };
  let doneBytes = 0;
  for (const tensor of tensors) {
    const raw = await gguf.readTensor(tensor.name);
    if (tensor.dims.length === 1) {
      const values = dequantize(tensor.type, raw, tensor.elementCount);
      converted.vectors[tensor.name] = await sink.append(bytesOf(values));
    } else {
      converted.matrices[tensor.name] = await convertMatrix(tensor, raw, sink);
    }
    doneBytes += tensor.sizeBytes;
    onProgress(doneBytes / totalBytes);
  }
  return converted;
}

async function convertMatrix(tensor: GgufTensor, raw: Uint8Array, sink: WeightsSink): Promise<Matrix> {
  const [columns = 0, rows = 0] = tensor.dims;
  if (tensor.type === 'F32' || tensor.type === 'F16') {
    const type = tensor.type === 'F32' ? 'float32' : 'float16';
    return { kind: 'plain', rows, columns, type, values: await sink.append(raw) };
  }
  if (tensor.type === 'BF16') {
    const values = await sink.append(bytesOf(dequantize(tensor.type, raw, tensor.elementCount)));
    return { kind: 'plain', rows, columns, type: 'float32', values };
  }
  const blocks = unpackBlocks(tensor.type, raw, tensor.elementCount);
  const matrix: Matrix = {
    kind: 'blocks',
    rows,
    columns,
    bits: blocks.bits,
    blockSize: blocks.blockElements,
    codes: await sink.append(blocks.codes),
    scales: await sink.append(bytesOf(blocks.scales)),
  };
  if (!blocks.mins) return matrix;
  const offsets = symmetricOffsets(blocks.scales, blocks.mins);
  return { ...matrix, offsets: await sink.append(bytesOf(offsets)) };
}

/**
 * `scale * code - min` as `scale * (code - 8) + offset`. The fast kernels know only zero points of their own
 * kind; with 8 they need none stored. The offset is rounded to float32 once: less than 1e-7 of the weight.
 */
function symmetricOffsets(scales: Float32Array, mins: Float32Array): Float32Array {
  return scales.map((scale, block) => 8 * scale - (mins[block] ?? 0));
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
