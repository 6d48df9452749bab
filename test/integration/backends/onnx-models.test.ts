import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { convertTensors } from '../../../server/backends/onnx/convert';
import { openConvertedWeights } from '../../../server/backends/onnx/converted-cache';
import { DecoderSession } from '../../../server/backends/onnx/decoder-session';
import { KvBuffers } from '../../../server/backends/onnx/kv-buffers';
import { loadOnnxRuntime } from '../../../server/backends/onnx/onnx-runtime';
import type { MatmulAccuracy } from '../../../server/backends/onnx/weight-ops';
import { openGguf } from '../../../server/models/gguf/open-gguf';
import { readModelSpec } from '../../../server/models/read-model-spec';

/** As scripts/goldens/onnx/make_real_goldens.py writes it. */
interface Golden {
  modelSha256: string;
  prompt: number[];
  /** What transformers chooses in float32, and how far each choice lies above the runner-up. */
  greedy: number[];
  gaps: number[];
  vocabSize: number;
  /** Every `stride`-th logit at each choice; all logits of the first and the last. */
  stride: number;
  sampled: string;
  full?: string;
}

const CONTEXT = 512;
const CHUNK = 64;

function readGolden(name: string): Golden {
  const file = path.join(process.cwd(), 'test/fixtures/onnx', `${name}.json`);
  return JSON.parse(fs.readFileSync(file, 'utf8')) as Golden;
}

function cacheFolder(): string {
  const userCache = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  return process.env.LONGVIEW_CACHE_DIR ?? path.join(userCache, 'longview');
}

function modelPath(id: string): string {
  const file = path.join(cacheFolder(), 'models', id, 'model.gguf');
  assert.ok(fs.existsSync(file), `this test needs the model ${id}, which is not at ${file}`);
  return file;
}

interface Decoder {
  session: DecoderSession;
  newKv: () => KvBuffers;
}

async function loadDecoder(id: string, modelSha256: string, accuracy: MatmulAccuracy): Promise<Decoder> {
  const gguf = await openGguf(modelPath(id));
  try {
    const spec = readModelSpec(gguf);
    const { dir, manifest } = await openConvertedWeights({
      cacheDir: cacheFolder(),
      modelSha256,
      convert: (sink) => convertTensors(gguf, sink, () => undefined),
    });
    const session = await DecoderSession.load(await loadOnnxRuntime(), {
      spec,
      manifest,
      weightsDir: fs.realpathSync(dir),
      contextTokens: CONTEXT,
      cpuThreads: 2,
      accuracy,
    });
    return { session, newKv: () => new KvBuffers(spec, CONTEXT) };
  } finally {
    await gguf.close();
  }
}

/** Logits at each choice when the tokens of the golden are forced. */
async function forcedLogits({ session, newKv }: Decoder, golden: Golden): Promise<Float32Array[]> {
  const kv = newKv();
  const rows = [await prefill(session, kv, golden.prompt)];
  for (const token of golden.greedy.slice(0, -1)) {
    rows.push(await session.append(Int32Array.of(token), kv, 'last'));
  }
  return rows;
}

/** The tokens that this decoder chooses by itself. */
async function greedyTokens({ session, newKv }: Decoder, golden: Golden): Promise<number[]> {
  const kv = newKv();
  const chosen = [best(await prefill(session, kv, golden.prompt))];
  while (chosen.length < golden.greedy.length) {
    chosen.push(best(await session.append(Int32Array.of(chosen.at(-1)!), kv, 'last')));
  }
  return chosen;
}

async function prefill(session: DecoderSession, kv: KvBuffers, prompt: number[]): Promise<Float32Array> {
  const tokens = Int32Array.from(prompt);
  let logits = new Float32Array(0) as Float32Array;
  for (let at = 0; at < tokens.length; at += CHUNK) {
    logits = await session.append(tokens.subarray(at, at + CHUNK), kv, 'last');
  }
  return logits;
}

function best(logits: Float32Array): number {
  return logits.indexOf(logits.reduce((most, value) => Math.max(most, value), -Infinity));
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  let product = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!;
    squaresA += a[i]! ** 2;
    squaresB += b[i]! ** 2;
  }
  return product / Math.sqrt(squaresA * squaresB);
}

/** Rows of float16 numbers in base64. */
function rowsOf(base64: string, rowCount: number): number[][] {
  const bytes = Buffer.from(base64, 'base64');
  const values = Array.from({ length: bytes.length / 2 }, (_, i) => halfToNumber(bytes.readUInt16LE(i * 2)));
  const length = values.length / rowCount;
  return Array.from({ length: rowCount }, (_, row) => values.slice(row * length, (row + 1) * length));
}

function halfToNumber(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

function smallestCosine(rows: Float32Array[], golden: Golden): number {
  const sampled = rowsOf(golden.sampled, rows.length);
  const cosines = rows.map((row, i) =>
    cosine(
      row.filter((_, id) => id % golden.stride === 0),
      sampled[i]!,
    ),
  );
  if (golden.full) {
    const full = rowsOf(golden.full, 2);
    cosines.push(cosine(rows[0]!, full[0]!), cosine(rows.at(-1)!, full[1]!));
  }
  return Math.min(...cosines);
}

/** Up to the first other choice, all is alike; there, the golden's own choice must have been close. */
function assertDivergesOnlyAtACloseCall(chosen: number[], golden: Golden): void {
  const at = chosen.findIndex((token, i) => token !== golden.greedy[i]);
  if (at < 0) return;
  assert.ok(golden.gaps[at]! < 0.1, `choice ${at} differs, though its gap is ${golden.gaps[at]}`);
}

suite('SmolLM2 beside transformers', () => {
  const golden = readGolden('smollm2-135m-instruct');
  let decoder: Decoder;

  for (const [accuracy, leastCosine] of [
    [0, 0.999],
    [4, 0.995],
  ] as const) {
    suite(`accuracy level ${accuracy}`, () => {
      suiteSetup(async () => {
        decoder = await loadDecoder('smollm2-135m-instruct-q4_1', golden.modelSha256, accuracy);
      });
      suiteTeardown(() => decoder.session.dispose());

      test(`logits point the same way: cosine above ${leastCosine} at each of 64 choices`, async () => {
        const worst = smallestCosine(await forcedLogits(decoder, golden), golden);
        console.log(`      smallest cosine ${worst.toFixed(6)}`);
        assert.ok(worst > leastCosine, `smallest cosine ${worst}`);
      });

      test('greedy decoding gives the same 64 tokens, or leaves them at a close call', async () => {
        const chosen = await greedyTokens(decoder, golden);
        if (accuracy === 0) assert.deepEqual(chosen, golden.greedy);
        else assertDivergesOnlyAtACloseCall(chosen, golden);
      });
    });
  }
});

suite('Qwen2.5-Coder 0.5B beside transformers', () => {
  const golden = readGolden('qwen2.5-coder-0.5b-instruct');

  test('the shipped level points the same way and leaves the greedy answer only at a close call', async () => {
    const decoder = await loadDecoder('qwen2.5-coder-0.5b-instruct-q4_k_m', golden.modelSha256, 4);
    try {
      const worst = smallestCosine(await forcedLogits(decoder, golden), golden);
      console.log(`      smallest cosine ${worst.toFixed(6)}`);
      assert.ok(worst > 0.995, `smallest cosine ${worst}`);
      assertDivergesOnlyAtACloseCall(await greedyTokens(decoder, golden), golden);
    } finally {
      await decoder.session.dispose();
    }
  });
});
