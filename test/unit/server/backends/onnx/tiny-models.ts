import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { convertTensors } from '../../../../../server/backends/onnx/convert';
import { openConvertedWeights } from '../../../../../server/backends/onnx/converted-cache';
import { DecoderSession } from '../../../../../server/backends/onnx/decoder-session';
import { KvBuffers } from '../../../../../server/backends/onnx/kv-buffers';
import { loadOnnxRuntime } from '../../../../../server/backends/onnx/onnx-runtime';
import type { MatmulAccuracy } from '../../../../../server/backends/onnx/weight-ops';
import { openGguf } from '../../../../../server/models/gguf/open-gguf';
import type { ModelSpec } from '../../../../../server/models/model-spec';
import { readModelSpec } from '../../../../../server/models/read-model-spec';

const FIXTURES = path.join(process.cwd(), 'test/fixtures/onnx');

/** One model of each family, together in every tensor format, tied and not; made by scripts/goldens/onnx. */
export const TINY_MODELS = [
  'qwen2-tied-f32',
  'llama-untied-f16',
  'qwen2-untied-q5-q8-q4_1',
  'llama-tied-q4k-q6k',
] as const;
export type TinyModel = (typeof TINY_MODELS)[number];

export interface Golden {
  tokens: Int32Array;
  vocabSize: number;
  /** `[tokens, vocabSize]`. */
  logits: Float32Array;
}

export function pathOf(model: TinyModel): string {
  return path.join(FIXTURES, `${model}.gguf`);
}

export function goldenOf(model: TinyModel): Golden {
  const golden = JSON.parse(fs.readFileSync(path.join(FIXTURES, `${model}.json`), 'utf8')) as {
    tokens: number[];
    vocabSize: number;
    logits: string;
  };
  const bytes = Uint8Array.from(Buffer.from(golden.logits, 'base64'));
  return {
    tokens: Int32Array.from(golden.tokens),
    vocabSize: golden.vocabSize,
    logits: new Float32Array(bytes.buffer),
  };
}

export function makeTempDir(): string {
  return fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'longview-onnx-')));
}

export interface TinyDecoder {
  spec: ModelSpec;
  session: DecoderSession;
  newKv(): KvBuffers;
}

/** A decoder over converted weights in `cacheDir`. The caller disposes the session. */
export async function loadTinyDecoder(
  model: TinyModel,
  cacheDir: string,
  accuracy: MatmulAccuracy,
  contextTokens = 64,
): Promise<TinyDecoder> {
  const gguf = await openGguf(pathOf(model));
  try {
    const spec = readModelSpec(gguf);
    const { dir, manifest } = await openConvertedWeights({
      cacheDir,
      modelSha256: model,
      convert: (sink) => convertTensors(gguf, sink, () => undefined),
    });
    const session = await DecoderSession.load(await loadOnnxRuntime(), {
      spec,
      manifest,
      weightsDir: dir,
      contextTokens,
      cpuThreads: 1,
      accuracy,
    });
    return { spec, session, newKv: () => new KvBuffers(spec, contextTokens) };
  } finally {
    await gguf.close();
  }
}

/** Greatest difference, as a share of the greatest expected magnitude. */
export function relativeError(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values, not ${expected.length}`);
  let error = 0;
  let magnitude = 0;
  for (const [i, value] of expected.entries()) {
    const difference = Math.abs((actual[i] ?? Number.NaN) - value);
    if (!(difference <= error)) error = difference;
    magnitude = Math.max(magnitude, Math.abs(value));
  }
  return error / magnitude;
}
