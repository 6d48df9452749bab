import assert from 'node:assert/strict';
import path from 'node:path';
import type { SparsePrefill, TileSelection } from '../../../server/backends/backend';
import type { CudaAddon, CudaEngine } from '../../../server/backends/cuda/addon';
import { assertSameBits, checksumOf, failureOf, rmsError } from './checks';
import { GREEDY, readJson, readModelFile, type TinyGolden, withModel } from './models';
import type { Case } from './tiny-cases';

const SELECTION: TileSelection = {
  strategy: 'tiles',
  sampledRows: 16,
  pooledKeys: 8,
  score: 'mean',
  alpha: 0.5,
  countForcedMass: false,
  sinkBlocks: 1,
  windowTokens: 64,
  minBlocks: 0,
  maxBlocks: 0,
  denseAbove: 1,
};
const NEVER = 2 ** 30;
const CONTEXT = 1024;

/** Sparse prefill through the addon, on tiny random models. */
export function sparseCases(addon: CudaAddon, fixtures: string): Case[] {
  const names = ['llama-tied-q4k-q6k', 'qwen2-tied-mixed', 'qwen3-untied-f16'];
  const runs = names.flatMap((name) => [
    { name, kernels: {} },
    { name, kernels: { kernels: 'portable' as const } },
  ]);
  const cases = runs.map(({ name, kernels }): Case => {
    return [
      `sparse ${name} ${kernels.kernels ?? 'fastest'}`,
      async () => {
        const file = await readModelFile(path.join(fixtures, `${name}.gguf`));
        const golden = readJson(path.join(fixtures, `${name}.json`)) as TinyGolden;
        // Longer than the golden's: repeated, since selections need many blocks.
        const tokens = Array.from(
          { length: 960 },
          (_, i) => golden.tokens[(i * 7) % golden.tokens.length] ?? 0,
        );
        const options = { contextTokens: CONTEXT, pooledKeys: 4, ...kernels } as const;
        return withModel(addon, file, options, (engine) => sparse(engine, tokens, golden.bf16RmsError));
      },
    ];
  });
  const [first = ''] = names;
  cases.push([
    'sparse bad input',
    async () => {
      const file = await readModelFile(path.join(fixtures, `${first}.gguf`));
      await withModel(addon, file, { contextTokens: CONTEXT }, async (engine) => {
        await failureOf(run(engine, [1, 2, 3], {}, []), 'badArgument');
      });
      return withModel(addon, file, { contextTokens: CONTEXT, pooledKeys: 8 }, badInput);
    },
  ]);
  return cases;
}

/** A model of the catalogue on a long prompt: everything kept is dense, and chunks change nothing. */
export function realSparseCases(addon: CudaAddon, model: string): Case[] {
  return [
    [
      'sparse real',
      async () => {
        const file = await readModelFile(model);
        const tokens = Array.from({ length: 20_000 }, (_, i) => 1000 + ((i * i * 7919 + i) % 20_000));
        const options = { contextTokens: 24_000, pooledKeys: 4 } as const;
        return withModel(addon, file, options, async (engine) => {
          // A random prompt has no right answer: what dense attention makes of rounding is the measure.
          const dense = await run(engine, tokens, undefined, []);
          const kept = await run(engine, tokens, { alpha: 1 }, []);
          const error = rmsError(kept.logits, dense.logits);
          const scale = rmsError(dense.logits, new Float32Array(dense.logits.length));
          assert.ok(error < 0.05 * scale, `kept everything: ${error} of ${scale}`);
          const whole = await run(engine, tokens, { alpha: 0.8, windowTokens: 512 }, [8192]);
          const parts = await run(engine, tokens, { alpha: 0.8, windowTokens: 512 }, [128, 4096, 1280, 8192]);
          assertSameBits(parts.logits, whole.logits, 'in chunks');
          assert.deepEqual(parts.blocks, whole.blocks);
          return `error ${(error / scale).toExponential(1)} of the logits; ${told(whole)}`;
        });
      },
    ],
  ];
}

interface Ran {
  logits: Float32Array;
  blocks: { kept: number; visible: number };
}

/** Prefills `tokens` in chunks of the given sizes, the rest last, on a sequence of its own. */
async function run(
  engine: CudaEngine,
  tokens: number[],
  changes: Partial<TileSelection> | undefined,
  chunks: number[],
  denseFromToken = NEVER,
): Promise<Ran> {
  const sequence = await engine.openSequence(GREEDY);
  try {
    return await append(engine, sequence, tokens, changes, chunks, denseFromToken);
  } finally {
    await engine.closeSequence(sequence);
  }
}

async function append(
  engine: CudaEngine,
  sequence: number,
  tokens: number[],
  changes: Partial<TileSelection> | undefined,
  chunks: number[],
  denseFromToken = NEVER,
): Promise<Ran> {
  const sparse: SparsePrefill | undefined = changes && {
    selection: { ...SELECTION, ...changes },
    denseFromToken,
  };
  const blocks = { kept: 0, visible: 0 };
  let at = 0;
  for (const size of [...chunks, ...Array.from({ length: 8 }, () => 8192)]) {
    const end = Math.min(at + size, tokens.length);
    if (end === at) break;
    const part = Int32Array.from(tokens.slice(at, end));
    const step = await engine.prefill(sequence, part, end === tokens.length, undefined, sparse);
    blocks.kept += step.blocks?.kept ?? 0;
    blocks.visible += step.blocks?.visible ?? 0;
    at = end;
  }
  return { logits: await engine.logits(), blocks };
}

async function sparse(engine: CudaEngine, tokens: number[], bf16RmsError: number): Promise<string> {
  const dense = await run(engine, tokens, undefined, []);

  const everything = await run(engine, tokens, { alpha: 1 }, []);
  assert.equal(everything.blocks.kept, everything.blocks.visible, 'alpha 1 keeps every block');
  const error = rmsError(everything.logits, dense.logits);
  assert.ok(error <= 2 * bf16RmsError, `kept everything: error ${error}, bf16 ${bf16RmsError}`);
  const tail = await run(engine, tokens, { alpha: 0 }, [], 0);
  assertSameBits(tail.logits, everything.logits, 'dense from the first token on');

  const whole = await run(engine, tokens, {}, []);
  assert.ok(whole.blocks.kept < whole.blocks.visible, 'fewer than all');
  assertSameBits((await run(engine, tokens, {}, [])).logits, whole.logits, 'again');
  const parts = await run(engine, tokens, {}, [128, 384, 256]);
  assertSameBits(parts.logits, whole.logits, 'in chunks');
  assert.deepEqual(parts.blocks, whole.blocks);
  const coarse = await run(engine, tokens, { pooledKeys: 16 }, []);
  assert.notEqual(checksumOf(coarse.logits), checksumOf(whole.logits), 'other averages');

  // Another selection, a dense chunk and decoded tokens came between: the averages are made anew.
  const sequence = await engine.openSequence(GREEDY);
  await append(engine, sequence, tokens.slice(0, 700), { pooledKeys: 16 }, []);
  await engine.decode(sequence, 5, false);
  await engine.rewind(sequence, 256, GREEDY);
  await append(engine, sequence, tokens.slice(256, 300), undefined, []);
  await engine.rewind(sequence, 0, GREEDY);
  await append(engine, sequence, tokens.slice(0, 640), {}, [256]);
  await engine.rewind(sequence, 512, GREEDY);
  const again = await append(engine, sequence, tokens.slice(512), {}, []);
  assertSameBits(again.logits, whole.logits, 'after a rewind');
  const counts = await engine.blockCounts();
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    again.blocks.kept,
    'the counts of the last chunk',
  );
  // A fork reads the averages of the blocks that it shares, in a block of its own it makes them anew; another selection
  // on the fork may not spoil those of the first.
  const fork = await engine.fork(sequence, 768, GREEDY);
  assertSameBits((await append(engine, fork, tokens.slice(768), {}, [])).logits, whole.logits, 'a fork');
  await engine.rewind(fork, 512, GREEDY);
  await append(engine, fork, tokens.slice(512, 640), { pooledKeys: 16 }, []);
  await engine.closeSequence(fork);
  await engine.rewind(sequence, 768, GREEDY);
  const first = await append(engine, sequence, tokens.slice(768), {}, []);
  assertSameBits(first.logits, whole.logits, 'the first after its fork');
  await engine.closeSequence(sequence);
  return `kept everything: error ${error.toFixed(4)}; ${told(whole)}`;
}

async function badInput(engine: CudaEngine): Promise<string> {
  await failureOf(run(engine, [1, 2, 3], { pooledKeys: 4 }, []), 'badArgument');
  const sequence = await engine.openSequence(GREEDY);
  await append(engine, sequence, [1, 2, 3], {}, []);
  await failureOf(append(engine, sequence, [4], {}, []), 'badArgument');
  const wrong = { strategy: 'guess' } as unknown as Partial<TileSelection>;
  await assert.rejects(run(engine, [1], wrong, []), /no strategy "guess"/);
  await engine.rewind(sequence, 0, GREEDY);
  await append(engine, sequence, [1, 2, 3], {}, []);
  return 'refused, and usable after';
}

function told({ logits, blocks }: Ran): string {
  return `density ${(blocks.kept / blocks.visible).toFixed(3)}, ${checksumOf(logits)}`;
}
