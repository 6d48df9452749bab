import { z } from 'zod';

/**
 * What `convert.ts` writes and `decoder-graph.ts` reads: GGUF weights in the forms that onnxruntime
 * computes with, as ranges of one file. A new form or layout needs a new `CONVERTER_VERSION`.
 */
export const CONVERTER_VERSION = 1;

export const WEIGHTS_FILE = 'weights.bin';

const region = z.object({ offsetBytes: z.int().nonnegative(), sizeBytes: z.int().nonnegative() });

/** A range of the weights file. */
export type Region = z.infer<typeof region>;

const shape = { rows: z.int().positive(), columns: z.int().positive() };

const plainMatrix = z.object({
  kind: z.literal('plain'),
  ...shape,
  type: z.enum(['float32', 'float16']),
  values: region,
});

const blockMatrix = z.object({
  kind: z.literal('blocks'),
  ...shape,
  bits: z.union([z.literal(4), z.literal(8)]),
  blockSize: z.union([z.literal(16), z.literal(32)]),
  codes: region,
  scales: region,
  offsets: region.optional(),
});

const matrix = z.discriminatedUnion('kind', [plainMatrix, blockMatrix]);

/** `[rows, columns]` (outputs, inputs) as numbers, row after row. */
export type PlainMatrix = z.infer<typeof plainMatrix>;

/**
 * `[rows, columns]` in blocks of `blockSize` along a row: `weight = (code - 2^(bits-1)) * scale + offset`.
 * `codes` has `bits` per weight, the low half of a byte first; `scales` and `offsets` are float32
 * `[rows, columns / blockSize]`.
 */
export type BlockMatrix = z.infer<typeof blockMatrix>;
export type Matrix = z.infer<typeof matrix>;

export const weightsManifestSchema = z.object({
  converterVersion: z.literal(CONVERTER_VERSION),
  modelSha256: z.string(),
  weightsSizeBytes: z.int().nonnegative(),
  weightsSha256: z.string(),
  /** By GGUF tensor name. */
  matrices: z.record(z.string(), matrix),
  /** Float32 vectors by GGUF tensor name: norms and biases. */
  vectors: z.record(z.string(), region),
});

/** Table of contents of a weights file. */
export type WeightsManifest = z.infer<typeof weightsManifestSchema>;
