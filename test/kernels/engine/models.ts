import fs from 'node:fs';
import type { PooledKeys } from '../../../server/backends/backend';
import type { CudaAddon, CudaEngine, CudaTensor, CudaWeights } from '../../../server/backends/cuda/addon';
import { tensorsOf } from '../../../server/backends/cuda/tensors';
import type { ModelSpec } from '../../../server/models/model-spec';
import { openModel } from '../../../server/models/open-model';
import { specForLoad } from '../../../server/models/spec-for-load';

export interface ModelFile {
  paths: readonly string[];
  spec: ModelSpec;
  tensors: CudaTensor[];
}

/** A model made ready for a context of `contextTokens`, by YaRN where that is longer than the trained one. */
export async function readModelFile(path: string, contextTokens = 1): Promise<ModelFile> {
  const gguf = await openModel(path);
  try {
    const { spec } = await specForLoad(gguf, { contextTokens, yarnFactor: 4 });
    return { paths: gguf.files, spec, tensors: tensorsOf(gguf) };
  } finally {
    await gguf.close();
  }
}

export interface LoadOptions {
  weights?: CudaWeights;
  kernels?: 'portable';
  prefillPrecision?: 'fp8';
  contextTokens?: number;
  chunkTokens?: number;
  pooledKeys?: PooledKeys;
}

/** Loads a model on the first GPU, hands it to `use` and frees everything. */
export async function withModel<T>(
  addon: CudaAddon,
  file: ModelFile,
  { contextTokens = file.spec.trainedContextTokens, chunkTokens = 8192, ...options }: LoadOptions,
  use: (engine: CudaEngine, fittingTokens: number) => Promise<T>,
): Promise<T> {
  const engine = new addon.Engine(0);
  try {
    const { fittingTokens } = await engine.load(
      { ...file, contextTokens, chunkTokens, ...options },
      () => undefined,
    );
    return await use(engine, fittingTokens);
  } finally {
    await engine.dispose();
  }
}

export const GREEDY = { temperature: 0, topP: 1, topK: 0, seed: 1, candidates: 2 ** 30 };

/** As scripts/goldens/engine/make_tiny_models.py writes it. */
export interface TinyGolden {
  tokens: number[];
  vocabSize: number;
  positions: number[];
  logits: string;
  bf16RmsError: number;
}

export function readJson(file: string): unknown {
  return JSON.parse(fs.readFileSync(file, 'utf8'));
}

export function floatsOf(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
