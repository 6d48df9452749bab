// Times whole decode steps through the addon, for bench_step.py:
//   node step-times.js ADDON MODEL DEPTH...
// Prints one line of JSON: the bytes of weights that a step reads and of one token's keys and values; for each depth,
// with and without a step begun ahead, the milliseconds of each step, on the device and for the caller, and the tokens.
import { type CudaEngine, loadAddon } from '../../../server/backends/cuda/addon';
import { tensorsOf } from '../../../server/backends/cuda/tensors';
import { openGguf } from '../../../server/models/gguf/open-gguf';
import { readModelSpec } from '../../../server/models/read-model-spec';

const CHUNK_TOKENS = 8192;
const WARM_UPS = 16;
const STEPS = 128;
const BF16_BYTES = 2;
const GREEDY = { temperature: 0, topP: 1, topK: 0, seed: 1, candidates: 2 ** 30 };

interface StepTimes {
  depth: number;
  continues: boolean;
  deviceMs: number[];
  callMs: number[];
  tokens: number[];
}

/** Prefills `depth` tokens; returns the one chosen behind them. */
async function fill(engine: CudaEngine, sequence: number, depth: number): Promise<number> {
  const prompt = Int32Array.from({ length: depth }, (_, i) => 1000 + ((i * 7919) % 20_000));
  let next: number | undefined;
  for (let at = 0; at < depth; at += CHUNK_TOKENS) {
    const chunk = prompt.slice(at, at + CHUNK_TOKENS);
    ({ next } = await engine.prefill(sequence, chunk, at + CHUNK_TOKENS >= depth));
  }
  return next ?? -1;
}

async function decode(engine: CudaEngine, sequence: number, first: number, continues: boolean) {
  const times = { deviceMs: [] as number[], callMs: [] as number[], tokens: [first] };
  for (let i = 0; i < WARM_UPS + STEPS; i++) {
    const startMs = performance.now();
    const { next = -1, deviceMs } = await engine.decode(sequence, times.tokens.at(-1) ?? -1, continues);
    const callMs = performance.now() - startMs;
    times.tokens.push(next);
    if (i < WARM_UPS) continue;
    times.deviceMs.push(deviceMs);
    times.callMs.push(callMs);
  }
  return times;
}

/** Loads the model; returns how much of it a step reads. */
async function load(engine: CudaEngine, path: string, contextTokens: number) {
  const gguf = await openGguf(path);
  try {
    const spec = readModelSpec(gguf);
    const model = { paths: [path], spec, tensors: tensorsOf(gguf) };
    await engine.load(
      { ...model, weights: 'bf16', contextTokens, chunkTokens: CHUNK_TOKENS },
      () => undefined,
    );
    const head = gguf.tensors.get('output.weight') ?? gguf.tensors.get('token_embd.weight');
    const matrices = [...gguf.tensors.values()].filter(
      ({ name, dims }) => /^blk\./.test(name) && dims.length > 1,
    );
    const elements = matrices.reduce((sum, { elementCount }) => sum + elementCount, 0);
    return {
      weightBytes: BF16_BYTES * elements + (head?.sizeBytes ?? 0),
      kvTokenBytes: 2 * BF16_BYTES * spec.layerCount * spec.kvHeadCount * spec.headDim,
    };
  } finally {
    await gguf.close();
  }
}

async function main([addonFile = '', model = '', ...rest]: string[]): Promise<void> {
  const loaded = loadAddon(addonFile);
  if ('missing' in loaded) throw new Error(loaded.missing);
  const depths = rest.map(Number);
  const engine = new loaded.addon.Engine(0);
  const runs: StepTimes[] = [];
  try {
    const bytes = await load(engine, model, Math.max(...depths) + WARM_UPS + STEPS + 1);
    for (const depth of depths) {
      const sequence = await engine.openSequence(GREEDY);
      for (const continues of [false, true]) {
        const first = await fill(engine, sequence, depth);
        runs.push({ depth, continues, ...(await decode(engine, sequence, first, continues)) });
        await engine.rewind(sequence, 0, GREEDY);
      }
      await engine.closeSequence(sequence);
    }
    console.log(JSON.stringify({ ...bytes, warmUps: WARM_UPS, steps: STEPS, runs }));
  } finally {
    await engine.dispose();
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
