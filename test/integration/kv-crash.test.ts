import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HostProcess } from '../../server/engine-host/host-process';
import { RemoteBackend } from '../../server/engine-host/remote-backend';
import { builtFile } from './support/places';

const MODEL = path.resolve('test/fixtures/onnx/qwen2-tied-f32.gguf');
const CONTEXT = 512;
/** Of the CPU backend. */
const BLOCK = 128;
const KILLS = 100;
const SAMPLING = { temperature: 0, topP: 1, topK: 0, stop: [] };
const VOCABULARY = 96;

/** A prompt of three blocks and a rest; each number gives another one. */
const promptOf = (number: number): Int32Array =>
  Int32Array.from(
    { length: 3 * BLOCK + 20 },
    (_, i) => (i * 7 + number * 13 + ((i * number) % 11)) % VOCABULARY,
  );
const blocksOf = (number: number): string[] =>
  [0, 1, 2].map((block) => `${number.toString(16).padStart(4, '0')}${block}`.padStart(64, '0'));

suite('the engine host killed while it keeps KV on disk', () => {
  let cacheDir: string;
  suiteSetup(async () => {
    cacheDir = await mkdtemp(path.join(tmpdir(), 'longview-crash-'));
  });
  suiteTeardown(() => rm(cacheDir, { recursive: true, force: true }));

  async function start() {
    const host = await HostProcess.start({
      modulePath: builtFile('engine-host.js'),
      log: () => undefined,
      startTimeoutMs: 60_000,
      onCrash: () => undefined,
    });
    const backend = new RemoteBackend(host);
    await backend.load(
      {
        modelPath: MODEL,
        modelSha256: 'c'.repeat(64),
        cacheDir,
        device: 'cpu',
        attention: 'dense',
        contextTokens: CONTEXT,
        cpuThreads: 1,
        matmulAccuracy: 0,
        kvStore: { memoryBytes: 0, diskBytes: 1e9 },
      },
      () => undefined,
    );
    return { host, backend };
  }
  type Started = Awaited<ReturnType<typeof start>>;

  const open = ({ backend }: Started) =>
    backend.openSequence({ sampling: SAMPLING, firstUnusedToken: VOCABULARY });
  const compute = (
    { backend }: Started,
    sequence: number,
    prompt: Int32Array,
    from: number,
    end = prompt.length,
  ) => backend.prefillChunk({ sequence, tokens: prompt.slice(from, end), sample: end === prompt.length });

  /** The answer to a prompt: six greedy tokens behind what the sequence holds. */
  async function answer(running: Started, prompt: Int32Array, sequence: number, from: number) {
    const answered: number[] = [];
    let { next } = await compute(running, sequence, prompt, from);
    for (let i = 0; i < 6; i++) {
      answered.push(next ?? -1);
      ({ next } = await running.backend.decodeStep({ sequence, token: next ?? 0 }));
    }
    await running.backend.closeSequence(sequence);
    return answered;
  }

  /** Computes prompts and keeps their blocks until the process is gone. */
  async function keepStoring(running: Started, first: number): Promise<void> {
    for (let number = first; ; number++) {
      const prompt = promptOf(number);
      const sequence = await open(running);
      for (const [index, block] of blocksOf(number).entries()) {
        await compute(running, sequence, prompt, index * BLOCK, (index + 1) * BLOCK);
        await running.backend.storeKv({ sequence, block, startToken: index * BLOCK, tokens: BLOCK });
      }
      await running.backend.closeSequence(sequence);
    }
  }

  test('at 100 random moments: what is found afterwards answers as if it had just been computed', async function () {
    this.timeout(280_000);
    let first = 1;
    let restoredBlocks = 0;
    let lostBlocks = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const running = await start();
      const storing = keepStoring(running, first).catch(() => undefined);
      await delay(5 + Math.random() * 60);
      process.kill(running.host.pid ?? 0, 'SIGKILL');
      await storing;
      first += 1;
      if (kill % 10 !== 9) continue;
      const after = await start();
      for (let number = Math.max(1, first - 10); number < first + 2; number++) {
        const prompt = promptOf(number);
        const blocks = blocksOf(number);
        const count = await after.backend.countStoredKv(blocks);
        const sequence = await open(after);
        let length = 0;
        for (const [index, block] of blocks.slice(0, count).entries()) {
          const startToken = index * BLOCK;
          const request = { sequence, block, following: blocks.slice(index + 1), startToken, tokens: BLOCK };
          const restored = await after.backend.restoreKv(request);
          if ('missing' in restored) {
            lostBlocks++;
            break;
          }
          length += BLOCK;
          restoredBlocks++;
        }
        const warm = await answer(after, prompt, sequence, length);
        const cold = await open(after);
        for (let at = 0; at < length; at += BLOCK) await compute(after, cold, prompt, at, at + BLOCK);
        assert.deepEqual(
          warm,
          await answer(after, prompt, cold, length),
          `prompt ${number}, ${length} tokens`,
        );
      }
      await after.host.dispose();
    }
    assert.ok(restoredBlocks > 10, `${restoredBlocks} blocks were found`);
    const names = await readdir(path.join(cacheDir, 'kv'));
    console.log(
      `      ${restoredBlocks} blocks restored, ${lostBlocks} damaged; ${names.filter((name) => name.endsWith('.part')).length} files left half written`,
    );
  });
});
