import { GGML_TYPES, type GgufFile } from '../../models/gguf/gguf-file';
import type { CudaTensor } from './addon';

/** The header's tensors as the addon reads them: the fastest dimension as columns, the others as rows. */
export function tensorsOf(gguf: GgufFile): CudaTensor[] {
  return [...gguf.tensors.values()].map(({ name, type, dims, offsetBytes, file = 0 }) => ({
    name,
    format: GGML_TYPES[type],
    rows: dims.slice(1).reduce((product, size) => product * size, 1),
    columns: dims[0] ?? 0,
    offsetBytes,
    file,
  }));
}
