import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { CudaAddon, CudaEngine } from '../../../server/backends/cuda/addon';
import { checkpointOf, inBf16 } from '../../unit/server/models/support/checkpoint-of';
import { writeCheckpoint } from '../../unit/server/models/support/write-safetensors';
import { assertSameBits, checksumOf, failureOf, rmsError } from './checks';
import {
  floatsOf,
  GREEDY,
  type ModelFile,
  readJson,
  readModelFile,
  type TinyGolden,
  withModel,
} from './models';

export type Case = [name: string, run: () => Promise<string>];

const CONTEXT = 1024;
const HUGE = 2 ** 24;

/** Tiny random models of each family: against transformers, and against themselves. */
export function tinyCases(addon: CudaAddon, fixtures: string): Case[] {
  const names = ['llama-tied-q4k-q6k', 'qwen2-tied-mixed', 'qwen3-untied-f16', 'llama3-scaled-q8'];
  const open = async (name: string) => ({
    file: await readModelFile(path.join(fixtures, `${name}.gguf`)),
    golden: readJson(path.join(fixtures, `${name}.json`)) as TinyGolden,
  });
  const cases: Case[] = [];
  for (const name of names) {
    for (const weights of ['bf16', 'stored'] as const) {
      cases.push([
        `golden ${name} ${weights}`,
        async () => {
          const { file, golden } = await open(name);
          return withModel(addon, file, { weights, contextTokens: CONTEXT }, (engine) =>
            againstGolden(engine, golden),
          );
        },
      ]);
    }
    cases.push([
      `portable ${name}`,
      async () => {
        const { file, golden } = await open(name);
        return withModel(addon, file, { kernels: 'portable', contextTokens: CONTEXT }, (engine) =>
          againstGolden(engine, golden),
        );
      },
    ]);
    cases.push([
      `bits ${name}`,
      async () => {
        const { file, golden } = await open(name);
        return withModel(addon, file, { contextTokens: CONTEXT }, (engine) =>
          sameBits(engine, golden.tokens),
        );
      },
    ]);
  }
  const [first = ''] = names;
  cases.push(
    ['shared blocks', async () => sharedBlocks(addon, await open('qwen3-untied-f16'))],
    ['KV out and in', async () => kvOutAndIn(addon, await open('qwen2-tied-mixed'))],
    ['golden YaRN', async () => yarn(addon, fixtures)],
    ['golden safetensors in BF16', async () => safetensors(addon, fixtures)],
    ['two sequences', async () => twoSequences(addon, await open(first))],
    ['sampling', async () => sampling(addon, await open(first))],
    ['steps ahead', async () => stepsAhead(addon, await open('qwen2-tied-mixed'))],
    ['memory', async () => memory(addon, await open('qwen3-untied-f16'))],
    ['bad input', async () => badInput(addon, await open(first))],
    ['damaged weights', async () => damagedWeights(addon, await open('qwen2-tied-mixed'))],
  );
  return cases;
}

/** How our error compares with that of transformers in bf16, in words; logits as `errorOf` takes them. */
async function againstGolden(engine: CudaEngine, golden: TinyGolden): Promise<string> {
  const error = await errorOf(engine, golden);
  const told = `error ${error.toFixed(4)}, transformers in bf16 ${golden.bf16RmsError}`;
  assert.ok(error <= 2 * golden.bf16RmsError, told);
  return told;
}

/** Of logits at the golden's positions: prefill up to each, or one decode step where they follow one another. */
export async function errorOf(engine: CudaEngine, golden: TinyGolden): Promise<number> {
  const sequence = await engine.openSequence(GREEDY);
  const exact = floatsOf(golden.logits);
  const ours = new Float32Array(exact.length);
  let length = 0;
  for (const [row, position] of golden.positions.entries()) {
    const tokens = golden.tokens.slice(length, position + 1);
    if (tokens.length === 1 && length > 0) await engine.decode(sequence, tokens[0] ?? -1, false);
    else {
      const { deviceMs, attentionMs = 0 } = await engine.prefill(sequence, Int32Array.from(tokens), true);
      assert.ok(attentionMs > 0 && attentionMs < deviceMs, `attention ${attentionMs} of ${deviceMs} ms`);
    }
    length = position + 1;
    ours.set(await engine.logits(), row * golden.vocabSize);
  }
  return rmsError(ours, exact);
}

/** The same logits, bit for bit: again, in other chunks, after a rewind, and decoded after both. */
export async function sameBits(engine: CudaEngine, tokens: number[]): Promise<string> {
  const run = async (sequence: number, from: number, chunks: number[]): Promise<Float32Array> => {
    let at = from;
    for (const size of [...chunks, tokens.length]) {
      const end = Math.min(at + size, tokens.length);
      if (end > at)
        await engine.prefill(sequence, Int32Array.from(tokens.slice(at, end)), end === tokens.length);
      at = end;
    }
    return engine.logits();
  };
  const decoded = async (sequence: number): Promise<Float32Array> => {
    await engine.decode(sequence, 5, false);
    return engine.logits();
  };
  // One after the other: the pool holds one whole context.
  const whole = await engine.openSequence(GREEDY);
  const expected = await run(whole, 0, []);
  const expectedNext = await decoded(whole);
  await engine.closeSequence(whole);
  const again = await engine.openSequence(GREEDY);
  assertSameBits(await run(again, 0, []), expected, 'the same prompt again');
  await engine.closeSequence(again);
  const parts = await engine.openSequence(GREEDY);
  assertSameBits(await run(parts, 0, [1, 62, 129, 448]), expected, 'in chunks');
  await engine.rewind(parts, 300, GREEDY);
  assertSameBits(await run(parts, 300, [17]), expected, 'after a rewind');
  assertSameBits(await decoded(parts), expectedNext, 'a decode step after a rewind');
  return checksumOf(expected);
}

/** Four times the trained context: all positions turn otherwise. */
async function yarn(addon: CudaAddon, fixtures: string): Promise<string> {
  const contextTokens = 4 * CONTEXT;
  const file = await readModelFile(path.join(fixtures, 'qwen2-tied-mixed.gguf'), contextTokens);
  const golden = readJson(path.join(fixtures, 'qwen2-tied-mixed.yarn.json')) as TinyGolden;
  return withModel(addon, file, { contextTokens }, (engine) => againstGolden(engine, golden));
}

/** Blocks of the KV pool hold this many tokens. */
const BLOCK = 640;

/** Two sequences that share blocks each compute what they would alone, whichever writes first. */
async function sharedBlocks(addon: CudaAddon, { file, golden }: Opened): Promise<string> {
  return withModel(addon, file, { contextTokens: CONTEXT }, async (engine) => {
    const tokens = twice(golden.tokens);
    const end = tokens.length;
    const logitsOf = async (sequence: number, from: number): Promise<Float32Array> => {
      await engine.prefill(sequence, tokens.slice(from, end), true);
      return engine.logits();
    };
    const next = async (sequence: number): Promise<Float32Array> => {
      await engine.decode(sequence, 5, false);
      return engine.logits();
    };
    const alone = await engine.openSequence(GREEDY);
    const expected = await logitsOf(alone, 0);
    const expectedNext = await next(alone);
    await engine.closeSequence(alone);
    for (const shared of [300, BLOCK, BLOCK + 40]) {
      const first = await engine.openSequence(GREEDY);
      assertSameBits(await logitsOf(first, 0), expected, 'the first');
      const second = await engine.fork(first, shared, GREEDY);
      assertSameBits(await next(first), expectedNext, `the first goes on, ${shared} shared`);
      await engine.prefill(second, Int32Array.of(3, 1, 4, 1, 5), false);
      await engine.rewind(second, shared, GREEDY);
      assertSameBits(await logitsOf(second, shared), expected, `the second, ${shared} shared`);
      await engine.rewind(first, end, GREEDY);
      assertSameBits(await next(first), expectedNext, `the first again, ${shared} shared`);
      await engine.closeSequence(first);
      assertSameBits(await next(second), expectedNext, 'the second outlives the first');
      await engine.closeSequence(second);
    }
    const left = await engine.openSequence(GREEDY);
    await failureOf(engine.fork(left, 1, GREEDY), 'badArgument');
    return `${end} tokens`;
  });
}

/** KV that leaves the device and comes back serves as if it had stayed. */
async function kvOutAndIn(addon: CudaAddon, { file, golden }: Opened): Promise<string> {
  return withModel(addon, file, { contextTokens: CONTEXT }, async (engine) => {
    const tokens = twice(golden.tokens);
    const source = await engine.openSequence(GREEDY);
    await engine.prefill(source, tokens, true);
    const expected = await engine.logits();
    const block = await engine.exportKv(source, 0, BLOCK);
    const rest = await engine.exportKv(source, BLOCK, 40);
    await failureOf(engine.exportKv(source, 1, 10), 'badArgument');
    await failureOf(engine.exportKv(source, BLOCK, BLOCK), 'badArgument');
    await engine.closeSequence(source);
    const restored = await engine.openSequence(GREEDY);
    await failureOf(engine.importKv(restored, BLOCK, rest), 'badArgument');
    await engine.importKv(restored, BLOCK, block);
    await engine.importKv(restored, 40, rest);
    await failureOf(engine.importKv(restored, 40, rest), 'badArgument');
    await engine.prefill(restored, tokens.slice(BLOCK + 40), true);
    assertSameBits(await engine.logits(), expected, 'restored');
    return `${block.length} bytes a block`;
  });
}

/** At least a block and some, still within the context. */
function twice(tokens: readonly number[]): Int32Array {
  return Int32Array.from([...tokens, ...tokens].slice(0, 900));
}

/** The same weights as the hub would have them, in three parts. */
async function safetensors(addon: CudaAddon, fixtures: string): Promise<string> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-engine-'));
  try {
    writeCheckpoint(folder, inBf16(await checkpointOf(path.join(fixtures, 'qwen2-tied-mixed.gguf'))), 3);
    const golden = readJson(path.join(fixtures, 'qwen2-tied-mixed.json')) as TinyGolden;
    const file = await readModelFile(folder);
    const told: string[] = [];
    for (const weights of ['bf16', 'stored'] as const)
      told.push(
        await withModel(addon, file, { weights, contextTokens: CONTEXT }, (engine) =>
          againstGolden(engine, golden),
        ),
      );
    return told.join('; ');
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

interface Opened {
  file: ModelFile;
  golden: TinyGolden;
}

async function twoSequences(addon: CudaAddon, { file, golden }: Opened): Promise<string> {
  return withModel(addon, file, { contextTokens: CONTEXT }, async (engine) => {
    const answer = async (sequence: number, prompt: number[]): Promise<number[]> => {
      const out: number[] = [];
      let { next } = await engine.prefill(sequence, Int32Array.from(prompt), true);
      for (let i = 0; i < 8; i++) {
        out.push(next ?? -1);
        ({ next } = await engine.decode(sequence, next ?? -1, false));
      }
      return out;
    };
    const alone = await engine.openSequence(GREEDY);
    const expected = await answer(alone, golden.tokens.slice(0, 300));
    await engine.closeSequence(alone);
    const [a, b] = [await engine.openSequence(GREEDY), await engine.openSequence(GREEDY)];
    await engine.prefill(b, Int32Array.from(golden.tokens.slice(100, 300)), true);
    assert.deepEqual(await answer(a, golden.tokens.slice(0, 300)), expected);
    // Three contexts of two blocks each: one sequence more finds the pool full.
    const full = Int32Array.from({ length: 700 }, () => 1);
    await engine.closeSequence(b);
    for (let i = 0; i < 2; i++) await engine.prefill(await engine.openSequence(GREEDY), full, false);
    const last = await engine.openSequence(GREEDY);
    await failureOf(engine.prefill(last, full, false), 'contextTooLarge');
    return expected.join(' ');
  });
}

async function sampling(addon: CudaAddon, { file, golden }: Opened): Promise<string> {
  const hot = { temperature: 1.5, topP: 0.95, topK: 40, seed: 7, candidates: 50 };
  return withModel(addon, file, { contextTokens: CONTEXT }, async (engine) => {
    const draw = async (): Promise<number[]> => {
      const sequence = await engine.openSequence(hot);
      const drawn: number[] = [];
      let { next } = await engine.prefill(sequence, Int32Array.from(golden.tokens.slice(0, 40)), true);
      for (let i = 0; i < 20; i++) {
        drawn.push(next ?? -1);
        ({ next } = await engine.decode(sequence, next ?? -1, false));
      }
      await engine.closeSequence(sequence);
      return drawn;
    };
    const drawn = await draw();
    assert.deepEqual(await draw(), drawn, 'the same seed');
    assert.ok(drawn.every((token) => token >= 0 && token < hot.candidates));
    return drawn.join(' ');
  });
}

/**
 * Steps that begin before they are asked for change no token: to the end of the context, over a border of blocks, and
 * where another token, another sequence or a rewind follows instead.
 */
async function stepsAhead(addon: CudaAddon, { file, golden }: Opened): Promise<string> {
  const hot = { temperature: 1.5, topP: 0.95, topK: 40, seed: 7, candidates: 50 };
  const prompt = Int32Array.from(golden.tokens.slice(0, 600));
  const contextTokens = 664;
  return withModel(addon, file, { contextTokens }, async (engine) => {
    const answer = async (sequence: number, first: number, count: number, continues: boolean) => {
      const out = [first];
      for (let i = 0; i < count; i++) {
        const { next } = await engine.decode(sequence, out.at(-1) ?? -1, continues);
        out.push(next ?? -1);
      }
      return out;
    };
    const run = async (continues: boolean): Promise<number[][]> => {
      const sequence = await engine.openSequence(hot);
      const { next: first = -1 } = await engine.prefill(sequence, prompt, true);
      const whole = await answer(sequence, first, contextTokens - prompt.length, continues);
      await failureOf(engine.decode(sequence, 1, continues), 'contextTooLarge');
      await engine.rewind(sequence, 590, hot);
      const { next: again = -1 } = await engine.prefill(sequence, prompt.slice(590), true);
      const start = await answer(sequence, again, 9, continues);
      // Not the token that was chosen: the random numbers go on as if no step had begun.
      const other = await answer(sequence, 3, 9, continues);
      const { next: prefilled = -1 } = await engine.prefill(sequence, prompt.slice(0, 5), true);
      const end = await answer(sequence, prefilled, 5, continues);
      const neighbour = await engine.openSequence(hot);
      await engine.closeSequence(sequence);
      const { next: its = -1 } = await engine.prefill(neighbour, prompt.slice(0, 30), true);
      const besides = await answer(neighbour, its, 5, continues);
      await engine.closeSequence(neighbour);
      return [whole, start, other, end, besides];
    };
    const expected = await run(false);
    assert.deepEqual(await run(true), expected);
    return expected.map((tokens) => tokens.length).join(' + ');
  });
}

/** What was taken is given back; what does not fit is refused with what does. */
async function memory(addon: CudaAddon, { file }: Opened): Promise<string> {
  const fitting = (): Promise<number> =>
    withModel(addon, file, { contextTokens: CONTEXT }, (_engine, tokens) => Promise.resolve(tokens));
  await fitting();
  const before = await fitting();
  for (let i = 0; i < 3; i++) await fitting();
  const after = await fitting();
  assert.ok(after >= before, `${before} tokens fitted, and after loading and freeing ${after}`);
  return tooMuch(addon, { ...file, spec: { ...file.spec, trainedContextTokens: HUGE } });
}

/** Fills the GPU with models of a huge context until one does not fit. */
async function tooMuch(addon: CudaAddon, file: ModelFile): Promise<string> {
  const engines: CudaEngine[] = [];
  const request = { ...file, contextTokens: HUGE, chunkTokens: HUGE };
  try {
    for (;;) {
      const engine = new addon.Engine(0);
      engines.push(engine);
      const outcome = engine.load(request, () => undefined);
      if (
        engines.length < 8 &&
        (await outcome.then(
          () => true,
          () => false,
        ))
      )
        continue;
      const { message } = await failureOf(outcome, 'outOfMemory');
      assert.match(message, /weights .* GB \+ KV .* tokens .* do not fit/);
      return message;
    }
  } finally {
    for (const engine of engines) await engine.dispose();
  }
}

async function badInput(addon: CudaAddon, { file }: Opened): Promise<string> {
  const engine = new addon.Engine(0);
  const request = { ...file, contextTokens: 64, chunkTokens: 32 };
  const load = (changes: Partial<typeof request>) => engine.load({ ...request, ...changes }, () => undefined);
  await failureOf(load({ tensors: file.tensors.slice(1) }), 'badModel');
  await failureOf(load({ tensors: file.tensors.map((t) => ({ ...t, rows: t.rows + 1 })) }), 'badModel');
  await failureOf(load({ tensors: file.tensors.map((t) => ({ ...t, offsetBytes: 2 ** 40 })) }), 'badModel');
  await failureOf(load({ paths: ['/nowhere.gguf'] }), 'badModel');
  await failureOf(load({ tensors: file.tensors.map((t) => ({ ...t, file: 1 })) }), 'badModel');
  await failureOf(load({ contextTokens: 2000 }), 'contextTooLarge');
  await load({});
  const sequence = await engine.openSequence(GREEDY);
  await failureOf(engine.prefill(sequence, new Int32Array(0), true), 'badArgument');
  await failureOf(engine.prefill(sequence, new Int32Array(33), true), 'badArgument');
  await failureOf(engine.prefill(sequence, Int32Array.of(96), true), 'badArgument');
  await failureOf(engine.decode(sequence, -1, false), 'badArgument');
  await failureOf(engine.decode(99, 1, true), 'badArgument');
  await failureOf(engine.rewind(sequence, 1, GREEDY), 'badArgument');
  const { next } = await engine.prefill(sequence, Int32Array.of(1, 2, 3), true);
  assert.ok(next !== undefined, 'usable after failures');
  await engine.dispose();
  return 'refused, and usable after';
}

/** A file with NaN in one weight is refused by the tensor's name. */
async function damagedWeights(addon: CudaAddon, { file }: Opened): Promise<string> {
  const name = 'blk.1.ffn_norm.weight';
  const tensor = file.tensors.find((candidate) => candidate.name === name);
  assert.ok(tensor);
  const [original = ''] = file.paths;
  const bytes = fs.readFileSync(original);
  bytes.writeFloatLE(Number.NaN, tensor.offsetBytes + 4 * 5);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-engine-'));
  const copy = path.join(folder, 'damaged.gguf');
  const damaged = { ...file, paths: [copy] };
  try {
    fs.writeFileSync(copy, bytes);
    const run = withModel(addon, damaged, { contextTokens: CONTEXT }, () => Promise.resolve());
    const { message } = await failureOf(run, 'badModel');
    assert.match(message, /blk\.1\.ffn_norm\.weight holds NaN/);
    return message;
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
