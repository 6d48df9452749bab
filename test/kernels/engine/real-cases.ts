import assert from 'node:assert/strict';
import type { CudaAddon, CudaEngine } from '../../../server/backends/cuda/addon';
import { assertSameBits, checksumOf, failureOf } from './checks';
import { realFp8Case } from './fp8-cases';
import { GREEDY, readJson, readModelFile, withModel } from './models';
import type { Case } from './tiny-cases';

/** As scripts/goldens/onnx/make_real_goldens.py writes it. */
interface RealGolden {
  prompt: number[];
  greedy: number[];
  gaps: number[];
}

/** Where two tokens are nearly as likely, rounding decides; from there on the answers may differ. */
const CLOSE = 0.1;

/** A model of the catalogue: its greedy answer, and stopping in the midst of a long prompt. */
export function realCases(addon: CudaAddon, model: string, goldenFile: string | undefined): Case[] {
  const cases: Case[] = [
    ['cancel', async () => withModel(addon, await readModelFile(model), {}, (engine) => cancelled(engine))],
  ];
  if (goldenFile !== undefined) {
    for (const weights of ['bf16', 'stored'] as const) {
      cases.push([
        `greedy ${weights}`,
        async () => {
          const golden = readJson(goldenFile) as RealGolden;
          const file = await readModelFile(model);
          return withModel(addon, file, { weights, contextTokens: 2048 }, (engine) => greedy(engine, golden));
        },
      ]);
    }
    cases.push(realFp8Case(addon, model, (readJson(goldenFile) as RealGolden).prompt));
  }
  return cases;
}

async function greedy(engine: CudaEngine, { prompt, greedy: expected, gaps }: RealGolden): Promise<string> {
  const sequence = await engine.openSequence(GREEDY);
  let { next } = await engine.prefill(sequence, Int32Array.from(prompt), true);
  for (const [i, token] of expected.entries()) {
    if (next !== token) {
      const gap = gaps[i] ?? Number.POSITIVE_INFINITY;
      assert.ok(gap < CLOSE, `token ${i} is ${next} instead of ${token}, which is ${gap} ahead`);
      return `the same ${i} tokens, then a choice between two that are ${gap} apart`;
    }
    ({ next } = await engine.decode(sequence, token, true));
  }
  return `the same ${expected.length} tokens`;
}

async function cancelled(engine: CudaEngine): Promise<string> {
  const tokens = Int32Array.from({ length: 8000 }, (_, i) => 1000 + ((i * 7919) % 20_000));
  const sequence = await engine.openSequence(GREEDY);
  await engine.prefill(sequence, tokens, true);
  const expected = await engine.logits();
  await engine.rewind(sequence, 0, GREEDY);
  const layers: number[] = [];
  let askedMs = 0;
  const run = engine.prefill(sequence, tokens, true, (done) => {
    layers.push(done);
    if (done !== 3) return;
    askedMs = performance.now();
    engine.cancel();
  });
  await failureOf(run, 'cancelled');
  const ms = performance.now() - askedMs;
  assert.ok(ms < 100, `it took ${ms} ms to stop`);
  await engine.prefill(sequence, tokens, true);
  assertSameBits(await engine.logits(), expected, 'after a stop');
  return `stopped after layer ${layers.at(-1)} in ${ms.toFixed(1)} ms; ${checksumOf(expected)}`;
}
