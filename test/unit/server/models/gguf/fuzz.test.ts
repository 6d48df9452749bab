import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LongviewError } from '../../../../../server/errors';
import { ByteCursor, WindowTooSmall } from '../../../../../server/models/gguf/byte-cursor';
import type { GgufFile } from '../../../../../server/models/gguf/gguf-file';
import { openGguf } from '../../../../../server/models/gguf/open-gguf';
import { parseHeader } from '../../../../../server/models/gguf/parse-header';
import { readModelSpec } from '../../../../../server/models/read-model-spec';
import { useTempFolder } from '../support/temp-folder';
import { tinyModel, writeGguf } from '../support/write-gguf';

const MUTATIONS = 100_000;
const MUTATIONS_ON_DISK = 1000;

/** Uniform numbers in [0, 1) that are the same in every run (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const TELLING_NUMBERS = [
  0n,
  1n,
  7n,
  255n,
  1n << 16n,
  1n << 31n,
  1n << 32n,
  1n << 40n,
  1n << 53n,
  1n << 63n,
  2n ** 64n - 1n,
];

/** A copy of a valid header with one to four random wounds. */
function mutate(header: Buffer, random: () => number): Buffer {
  let bytes = Buffer.from(header);
  const below = (limit: number) => Math.floor(random() * limit);
  const place = () => below(bytes.length);
  const wounds = [
    () => (bytes[place()]! ^= 1 << below(8)),
    () => (bytes[place()] = below(256)),
    () => {
      const at = place();
      if (at + 8 <= bytes.length) bytes.writeBigUInt64LE(TELLING_NUMBERS[below(TELLING_NUMBERS.length)]!, at);
    },
    () => {
      const at = place();
      if (at + 4 <= bytes.length) bytes.writeUInt32LE(below(64), at);
    },
    () => (bytes = bytes.subarray(0, place())),
    () => {
      const from = place();
      bytes = Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + below(64))]);
    },
    () => {
      const [from, to] = [place(), place()];
      bytes = Buffer.concat([
        bytes.subarray(0, to),
        bytes.subarray(from, from + below(64)),
        bytes.subarray(to),
      ]);
    },
  ];
  for (let left = 1 + below(4); left > 0 && bytes.length > 0; left--) wounds[below(wounds.length)]!();
  return bytes;
}

/**
 * Parses as far as the bytes allow, in a file of `fileBytes` of which `window` is the front. Returns how it
 * ended; anything but a named error fails the test.
 */
function outcomeOf(window: Buffer, fileBytes: number): string {
  const cursor = new ByteCursor(window, fileBytes, 'mutant.gguf');
  try {
    const header = parseHeader(cursor, fileBytes);
    for (const tensor of header.tensors.values()) {
      assert.ok(tensor.offsetBytes + tensor.sizeBytes <= fileBytes, tensor.name);
    }
    readModelSpec({ path: 'mutant.gguf', sizeBytes: fileBytes, ...header } as GgufFile);
    return 'sound';
  } catch (error) {
    if (error instanceof LongviewError) return error.code;
    if (!(error instanceof WindowTooSmall)) throw error;
    assert.ok(window.length < error.neededBytes && error.neededBytes <= fileBytes);
    return 'window';
  } finally {
    assert.ok(cursor.largestAllocationBytes <= fileBytes);
  }
}

suite('GGUF fuzz', () => {
  const folder = useTempFolder();
  const files = [tinyModel('qwen2'), tinyModel('llama')].map((source) => {
    const bytes = writeGguf(source);
    const cursor = new ByteCursor(bytes, bytes.length, 'valid.gguf');
    parseHeader(cursor, bytes.length);
    return { header: bytes.subarray(0, cursor.offsetBytes), data: bytes.subarray(cursor.offsetBytes) };
  });

  test(`${MUTATIONS} mutations end in a model or in a named error`, function () {
    this.timeout(60_000);
    const random = randomNumbers(20250101);
    const outcomes = new Map<string, number>();
    for (let i = 0; i < MUTATIONS; i++) {
      const { header, data } = files[i % files.length]!;
      const mutant = mutate(header, random);
      const isCut = random() < 0.2;
      const outcome = outcomeOf(mutant, mutant.length + (isCut ? 0 : data.length));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    // Each way out must really have been taken, or the mutations are too tame or too wild.
    for (const outcome of ['sound', 'window', 'modelCorrupt', 'modelUnsupported']) {
      assert.ok((outcomes.get(outcome) ?? 0) > MUTATIONS / 1000, JSON.stringify([...outcomes]));
    }
  });

  test(`${MUTATIONS_ON_DISK} mutated files are read to the end or refused by name`, async () => {
    const random = randomNumbers(42);
    const path = join(folder(), 'mutant.gguf');
    for (let i = 0; i < MUTATIONS_ON_DISK; i++) {
      const { header, data } = files[i % files.length]!;
      writeFileSync(path, Buffer.concat([mutate(header, random), data]));
      const outcome = await readAll(path).catch((error: unknown) => error);
      assert.ok(outcome === undefined || outcome instanceof LongviewError, String(outcome));
    }
  });
});

async function readAll(path: string): Promise<void> {
  const gguf = await openGguf(path);
  try {
    readModelSpec(gguf);
    for (const tensor of gguf.tensors.values()) {
      assert.equal((await gguf.readTensor(tensor.name)).length, tensor.sizeBytes);
    }
  } finally {
    await gguf.close();
  }
}
