import { performance } from 'node:perf_hooks';
import type { Backend } from '../../server/backends/backend';
import { createOnnxBackend } from '../../server/backends/onnx/onnx-backend';
import type { Measurement, Workload } from './workload';

const GREEDY = { temperature: 0, topP: 1, topK: 0, stop: [] };
const WARM_UP_TOKENS = 64;

/** The CPU backend, driven in the chunks that it asks for, one measurement for each size of the workload. */
export async function measureLongview(workload: Workload): Promise<Measurement[]> {
  const backend = createOnnxBackend();
  try {
    const model = await backend.load(
      {
        modelPath: workload.modelPath,
        modelSha256: workload.modelSha256,
        cacheDir: workload.cacheDir,
        device: 'cpu',
        attention: 'dense',
        contextTokens: 4096,
        cpuThreads: workload.threads,
      },
      () => undefined,
    );
    const measure = (tokens: number) =>
      measureOne(
        backend,
        workload,
        workload.ids.subarray(0, tokens),
        model.prefillChunkTokens,
        model.vocabSize,
      );
    await measure(WARM_UP_TOKENS);
    const measurements: Measurement[] = [];
    for (const size of workload.sizes) measurements.push(await measure(size));
    return measurements;
  } finally {
    await backend.dispose();
  }
}

async function measureOne(
  backend: Backend,
  { decodeTokens }: Workload,
  prompt: Int32Array,
  chunkTokens: number,
  vocabSize: number,
): Promise<Measurement> {
  const sequence = await backend.openSequence({ sampling: GREEDY, firstUnusedToken: vocabSize });
  const startMs = performance.now();
  let next: number | undefined;
  for (let at = 0; at < prompt.length; at += chunkTokens) {
    const sample = at + chunkTokens >= prompt.length;
    const tokens = prompt.subarray(at, at + chunkTokens);
    ({ next } = await backend.prefillChunk({ sequence, tokens, sample }));
  }
  const prefilledMs = performance.now();
  const tokens = [chosen(next)];
  for (let i = 0; i < decodeTokens; i++) {
    ({ next } = await backend.decodeStep({ sequence, token: chosen(next) }));
    tokens.push(chosen(next));
  }
  const endMs = performance.now();
  await backend.closeSequence(sequence);
  return { prefillS: (prefilledMs - startMs) / 1000, decodeS: (endMs - prefilledMs) / 1000, tokens };
}

function chosen(token: number | undefined): number {
  if (token === undefined) throw new Error('the backend sampled no token');
  return token;
}
