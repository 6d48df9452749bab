import fs from 'node:fs';
import path from 'node:path';
import { convertTensors } from '../../../../../server/backends/onnx/convert';
import { openConvertedWeights } from '../../../../../server/backends/onnx/converted-cache';
import { DecoderSession } from '../../../../../server/backends/onnx/decoder-session';
import { KvBuffers } from '../../../../../server/backends/onnx/kv-buffers';
import { loadOnnxRuntime } from '../../../../../server/backends/onnx/onnx-runtime';
import { openGguf } from '../../../../../server/models/gguf/open-gguf';
import type { ModelSpec } from '../../../../../server/models/model-spec';
import { specForLoad } from '../../../../../server/models/spec-for-load';
import { relativeError } from './tiny-models';

const FIXTURES = path.join(process.cwd(), 'test/fixtures/engine');

/** As scripts/goldens/engine/make_tiny_models.py writes it. */
interface Golden {
  tokens: number[];
  vocabSize: number;
  positions: number[];
  logits: string;
}

/**
 * How far the CPU's logits lie from the golden's, as a share of the largest; `plainError` is the same with positions
 * that are not scaled. A golden `NAME.yarn` has a context of twice the trained one.
 */
export async function longPositions(
  name: string,
  cacheDir: string,
): Promise<{ error: number; plainError: number }> {
  const golden = JSON.parse(fs.readFileSync(path.join(FIXTURES, `${name}.json`), 'utf8')) as Golden;
  const gguf = await openGguf(path.join(FIXTURES, `${name.replace('.yarn', '')}.gguf`));
  try {
    const contextTokens = name.endsWith('.yarn') ? 2048 : 1024;
    const { spec } = await specForLoad(gguf, { contextTokens, yarnFactor: 4 });
    const { dir, manifest } = await openConvertedWeights({
      cacheDir,
      modelSha256: name,
      convert: (sink) => convertTensors(gguf, sink, () => undefined),
    });
    const errorOf = async (shape: ModelSpec): Promise<number> => {
      const session = await DecoderSession.load(await loadOnnxRuntime(), {
        spec: shape,
        manifest,
        weightsDir: dir,
        contextTokens,
        cpuThreads: 1,
        accuracy: 0,
      });
      try {
        return await compare(session, shape, golden, contextTokens);
      } finally {
        await session.dispose();
      }
    };
    const plain = { ...spec };
    delete plain.yarn;
    delete plain.ropeDivisors;
    return { error: await errorOf(spec), plainError: await errorOf(plain) };
  } finally {
    await gguf.close();
  }
}

async function compare(
  session: DecoderSession,
  spec: ModelSpec,
  { tokens, vocabSize, positions, logits }: Golden,
  contextTokens: number,
): Promise<number> {
  const all = await session.append(Int32Array.from(tokens), new KvBuffers(spec, contextTokens), 'all');
  const ours = new Float32Array(positions.length * vocabSize);
  for (const [row, position] of positions.entries())
    ours.set(all.subarray(position * vocabSize, (position + 1) * vocabSize), row * vocabSize);
  return relativeError(ours, new Float32Array(Uint8Array.from(Buffer.from(logits, 'base64')).buffer));
}
