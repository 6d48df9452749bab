import assert from 'node:assert/strict';
import path from 'node:path';
import type { CudaAddon, CudaEngine } from '../../../server/backends/cuda/addon';
import {
  GREEDY,
  type LoadOptions,
  type ModelFile,
  readJson,
  readModelFile,
  type TinyGolden,
  withModel,
} from './models';
import { type Case, errorOf, sameBits } from './tiny-cases';

const CONTEXT = 1024;
const FP8 = { prefillPrecision: 'fp8' } as const;
/** e4m3 rounds at 2^-4, bf16 at 2^-9: errors are up to 32 times as large, and where fp8 runs they are not as small. */
const ERRORS = { least: 2, most: 32 };

/** Prefill in fp8, on tiny random models: near transformers, and the same bits however a prompt is cut. */
export function fp8Cases(addon: CudaAddon, fixtures: string): Case[] {
  const names = ['qwen2-tied-mixed', 'qwen3-untied-f16'];
  return names.flatMap((name) => {
    const run = async (
      options: LoadOptions,
      use: (engine: CudaEngine, golden: TinyGolden) => Promise<string>,
    ) => {
      const golden = readJson(path.join(fixtures, `${name}.json`)) as TinyGolden;
      const file = await readModelFile(path.join(fixtures, `${name}.gguf`));
      return withModel(addon, file, { ...options, ...FP8, contextTokens: CONTEXT }, (engine) =>
        use(engine, golden),
      );
    };
    return [
      [`fp8 golden ${name} bf16`, () => run({ weights: 'bf16' }, againstGolden)],
      [`fp8 golden ${name} stored`, () => run({ weights: 'stored' }, againstGolden)],
      [`fp8 portable ${name}`, () => run({ kernels: 'portable' }, againstGolden)],
      [`fp8 bits ${name}`, () => run({}, (engine, { tokens }) => sameBits(engine, tokens))],
    ];
  });
}

async function againstGolden(engine: CudaEngine, golden: TinyGolden): Promise<string> {
  const error = await errorOf(engine, golden);
  const share = error / golden.bf16RmsError;
  const told = `error ${error.toFixed(4)}, ${share.toFixed(1)} times that of transformers in bf16`;
  assert.ok(share >= ERRORS.least && share <= ERRORS.most, told);
  return told;
}

const POSITIONS = 64;
const LONG_TOKENS = 16_000;

/** Prefill of a real prompt in fp8 beside bf16: how often both choose the same next token, and how long both take. */
export function realFp8Case(addon: CudaAddon, model: string, prompt: number[]): Case {
  return [
    'fp8 agreement',
    async () => {
      const file = await readModelFile(model);
      const [bf16, fp8] = [await choices(addon, file, prompt, {}), await choices(addon, file, prompt, FP8)];
      const same = bf16.tokens.filter((token, i) => token === fp8.tokens[i]).length;
      const told = `${same} of ${POSITIONS} next tokens; ${LONG_TOKENS} tokens in ${fp8.ms.toFixed(1)} ms, bf16 ${bf16.ms.toFixed(1)}`;
      assert.ok(same >= 0.8 * POSITIONS, told);
      return told;
    },
  ];
}

interface Choices {
  tokens: number[];
  /** On the device, of the second of two long prompts. */
  ms: number;
}

function choices(
  addon: CudaAddon,
  file: ModelFile,
  prompt: number[],
  options: LoadOptions,
): Promise<Choices> {
  const sizes = { contextTokens: LONG_TOKENS + 1, chunkTokens: LONG_TOKENS };
  return withModel(addon, file, { ...options, ...sizes }, async (engine) => {
    const sequence = await engine.openSequence(GREEDY);
    const tokens: number[] = [];
    const step = Math.floor(prompt.length / POSITIONS);
    for (let i = 0; i < POSITIONS; i++) {
      const chunk = Int32Array.from(prompt.slice(i * step, (i + 1) * step));
      tokens.push((await engine.prefill(sequence, chunk, true)).next ?? -1);
    }
    const long = Int32Array.from({ length: LONG_TOKENS }, (_, i) => prompt[i % prompt.length] ?? 0);
    let ms = 0;
    for (let round = 0; round < 2; round++) {
      await engine.rewind(sequence, 0, GREEDY);
      ms = (await engine.prefill(sequence, long, true)).deviceMs;
    }
    return { tokens, ms };
  });
}
