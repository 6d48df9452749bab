/** Tensor element formats that Longview reads; the numbers are those of the GGUF file format. */
export const GGML_TYPES = {
  ...{ F32: 0, F16: 1, Q4_1: 3, Q5_0: 6, Q8_0: 8, Q4_K: 12, Q6_K: 14 },
  BF16: 30,
} as const;
export type GgmlTypeName = keyof typeof GGML_TYPES;

export type GgufScalar = number | bigint | boolean | string;
/** Numeric arrays arrive as typed arrays where the format allows, string arrays as `string[]`. */
export type GgufValue =
  | GgufScalar
  | readonly string[]
  | readonly boolean[]
  | ArrayLike<number>
  | readonly bigint[];

export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlTypeName;
  /** Fastest dimension first: a linear layer is `[in, out]`. */
  readonly dims: readonly number[];
  readonly elementCount: number;
  /** Absolute offset in its file. */
  readonly offsetBytes: number;
  /** Which of the model's files holds it; absent: the first. */
  readonly file?: number;
  readonly sizeBytes: number;
}

/**
 * An open model: header in memory, tensor data read on demand. A GGUF v3 file, or a folder of safetensors that is
 * described in the same names (`server/models/safetensors`).
 */
export interface GgufFile {
  /** What the user named. */
  readonly path: string;
  /** The files that hold tensors. */
  readonly files: readonly string[];
  readonly sizeBytes: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Raw blocks of one tensor. @throws LongviewError `modelCorrupt` when the file ends early. */
  readTensor(name: string): Promise<Uint8Array>;
  close(): Promise<void>;
}
