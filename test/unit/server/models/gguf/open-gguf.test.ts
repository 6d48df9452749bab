import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GgufFile } from '../../../../../server/models/gguf/gguf-file';
import { openGguf } from '../../../../../server/models/gguf/open-gguf';
import { rejectsWith } from '../support/errors';
import { useTempFolder } from '../support/temp-folder';
import { ByteWriter, type Entry, type GgufSource, sizeOf, tinyModel, writeGguf } from '../support/write-gguf';

const folder = useTempFolder();

async function withGguf<T>(bytes: Uint8Array, work: (gguf: GgufFile) => T | Promise<T>): Promise<T> {
  const path = join(folder(), 'model.gguf');
  writeFileSync(path, bytes);
  const gguf = await openGguf(path);
  try {
    return await work(gguf);
  } finally {
    await gguf.close();
  }
}

/** `bytes` with `patch` written at the first place where `marker` ends. */
function patchAfter(bytes: Buffer, marker: string, patch: Buffer): Buffer {
  const at = bytes.indexOf(marker);
  assert.ok(at >= 0);
  const copy = Buffer.from(bytes);
  patch.copy(copy, at + Buffer.byteLength(marker));
  return copy;
}

function u32(value: number): Buffer {
  return new ByteWriter().u32(value).done();
}

function u64(value: number | bigint): Buffer {
  return new ByteWriter().u64(value).done();
}

suite('openGguf', () => {
  test('reads metadata of every type', async () => {
    const metadata: Entry[] = [
      { key: 'u8', type: 'u8', value: 200 },
      { key: 'i8', type: 'i8', value: -100 },
      { key: 'u16', type: 'u16', value: 60_000 },
      { key: 'i16', type: 'i16', value: -30_000 },
      { key: 'u32', type: 'u32', value: 4_000_000_000 },
      { key: 'i32', type: 'i32', value: -2_000_000_000 },
      { key: 'f32', type: 'f32', value: 0.5 },
      { key: 'f64', type: 'f64', value: 0.1 },
      { key: 'u64', type: 'u64', value: 2n ** 64n - 1n },
      { key: 'i64', type: 'i64', value: -(2n ** 63n) },
      { key: 'bool', type: 'bool', value: true },
      { key: 'string', type: 'string', value: 'Zürich, 東京, \ufffd' },
      { key: 'empty', type: 'string', value: '' },
    ];
    await withGguf(writeGguf({ metadata, tensors: [] }), (gguf) => {
      assert.deepEqual(
        Object.fromEntries(gguf.metadata),
        Object.fromEntries(metadata.map((e) => [e.key, e.value])),
      );
    });
  });

  test('reads numeric arrays as typed arrays, others as plain ones', async () => {
    const array = (
      key: string,
      itemType: Extract<Entry, { type: 'array' }>['itemType'],
      value: readonly (number | bigint | boolean | string)[],
    ): Entry => ({
      key,
      type: 'array',
      itemType,
      value,
    });
    const metadata = [
      array('u8', 'u8', [0, 255]),
      array('i8', 'i8', [-128, 127]),
      array('u16', 'u16', [65_535]),
      array('i16', 'i16', [-32_768]),
      array('u32', 'u32', [4_294_967_295]),
      array('i32', 'i32', [-1, 7]),
      array('f32', 'f32', [0.25, -2]),
      array('f64', 'f64', [0.1]),
      array('u64', 'u64', [1n]),
      array('i64', 'i64', [-1n]),
      array('bool', 'bool', [true, false]),
      array('string', 'string', ['', 'é', 'Ġthe']),
      array('none', 'i32', []),
    ];
    await withGguf(writeGguf({ metadata, tensors: [] }), (gguf) => {
      assert.deepEqual(Object.fromEntries(gguf.metadata), {
        u8: new Uint8Array([0, 255]),
        i8: new Int8Array([-128, 127]),
        u16: new Uint16Array([65_535]),
        i16: new Int16Array([-32_768]),
        u32: new Uint32Array([4_294_967_295]),
        i32: new Int32Array([-1, 7]),
        f32: new Float32Array([0.25, -2]),
        f64: new Float64Array([0.1]),
        u64: [1n],
        i64: [-1n],
        bool: [true, false],
        string: ['', 'é', 'Ġthe'],
        none: new Int32Array(0),
      });
    });
  });

  test('reads every tensor from its place', async () => {
    const source = tinyModel('qwen2');
    await withGguf(writeGguf(source), async (gguf) => {
      assert.equal(gguf.tensors.size, source.tensors.length);
      for (const [index, wanted] of source.tensors.entries()) {
        const tensor = gguf.tensors.get(wanted.name)!;
        assert.deepEqual([tensor.type, tensor.dims], [wanted.type, wanted.dims]);
        const bytes = await gguf.readTensor(wanted.name);
        assert.equal(bytes.length, sizeOf(wanted));
        assert.ok(bytes.every((byte, i) => byte === (i + index * 7) % 251));
      }
      await rejectsWith(gguf.readTensor('nothing'), 'modelCorrupt', /no tensor nothing/);
    });
  });

  test('honours general.alignment', async () => {
    const source = tinyModel('llama');
    source.metadata.push({ key: 'general.alignment', type: 'u32', value: 128 });
    await withGguf(writeGguf(source, 128), async (gguf) => {
      assert.ok([...gguf.tensors.values()].every((tensor) => tensor.offsetBytes % 128 === 0));
      const second = await gguf.readTensor(source.tensors[1]!.name);
      assert.deepEqual([...second.subarray(0, 3)], [7, 8, 9]);
    });
  });

  test('reads a header that is longer than the first window', async () => {
    const value = Array.from({ length: 2000 }, (_, i) => `token ${i} ${'x'.repeat(6500)}`);
    const source = tinyModel('llama');
    source.metadata.push({ key: 'long', type: 'array', itemType: 'string', value });
    const bytes = writeGguf(source);
    assert.ok(bytes.length > 12 * 1024 * 1024);
    await withGguf(bytes, async (gguf) => {
      assert.deepEqual(gguf.metadata.get('long'), value);
      assert.equal((await gguf.readTensor('token_embd.weight')).length, sizeOf(source.tensors[0]!));
    });
  });

  test('notices a file that was cut after it was opened', async () => {
    await withGguf(writeGguf(tinyModel('llama')), async (gguf) => {
      writeFileSync(gguf.path, '');
      await rejectsWith(gguf.readTensor('token_embd.weight'), 'modelCorrupt', /ends at byte/);
    });
  });

  test('names a missing file and a folder', async () => {
    await rejectsWith(openGguf(join(folder(), 'none.gguf')), 'modelMissing', /none\.gguf/);
    await rejectsWith(openGguf(folder()), 'modelMissing', /not a file|EISDIR/);
  });

  const good = () => writeGguf(tinyModel('qwen2'));
  const changed = (change: (source: GgufSource) => void) => {
    const source = tinyModel('qwen2');
    change(source);
    return writeGguf(source);
  };
  const malformed: [name: string, bytes: () => Buffer, message: RegExp][] = [
    ['an empty file', () => Buffer.alloc(0), /ends within the header/],
    ['a web page', () => Buffer.from('<!doctype html><html></html>'), /does not begin with "GGUF"/],
    [
      'a header that is cut',
      () => good().subarray(0, 200),
      /ends within the header|past its end|rest of the file/,
    ],
    ['tensor data that is cut', () => good().subarray(0, -100), /tensor .* ends at byte/],
    ['too many tensors', () => patchAfter(good(), 'GGUF\x03\0\0\0', u64(1n << 40n)), /number of tensors/],
    ['a count above 2^53', () => patchAfter(good(), 'GGUF\x03\0\0\0', u64(1n << 60n)), /beyond any file/],
    [
      'a string beyond the file',
      () => patchAfter(good(), 'general.name\x08\0\0\0', u64(1e9)),
      /past its end/,
    ],
    ['an unknown value type', () => patchAfter(good(), 'general.name', u32(77)), /unknown value type 77/],
    ['a nested array', () => patchAfter(good(), 'ggml.tokens\x09\0\0\0', u32(9)), /nested item type 9/],
    [
      'an array beyond the file',
      () => patchAfter(good(), 'token_type\x09\0\0\0\x05\0\0\0', u64(1e6)),
      /rest of the file/,
    ],
    ['a boolean of 2', () => patchAfter(good(), 'add_bos_token\x07\0\0\0', Buffer.from([2])), /boolean/],
    ['text that is not UTF-8', () => patchAfter(good(), 'Tiny ', Buffer.from([0xff])), /not UTF-8/],
    ['no dimensions', () => patchAfter(good(), 'token_embd.weight', u32(0)), /0 dimensions/],
    ['five dimensions', () => patchAfter(good(), 'token_embd.weight', u32(5)), /5 dimensions/],
    ['a dimension of 0', () => patchAfter(good(), 'token_embd.weight\x02\0\0\0', u64(0)), /dimension of 0/],
    [
      'a giant dimension',
      () => patchAfter(good(), 'token_embd.weight\x02\0\0\0', u64(2n ** 52n)),
      /ends at byte/,
    ],
    [
      'rows of half a block',
      () => patchAfter(good(), 'token_embd.weight\x02\0\0\0', u64(16)),
      /whole Q8_0 blocks/,
    ],
    [
      'a key twice',
      () => changed(({ metadata }) => metadata.push(metadata[0]!)),
      /general\.architecture appears twice/,
    ],
    [
      'a tensor twice',
      () => changed(({ tensors }) => tensors.push(tensors[1]!)),
      /output_norm\.weight appears twice/,
    ],
    [
      'a bad alignment',
      () => changed(({ metadata }) => metadata.push({ key: 'general.alignment', type: 'u32', value: 33 })),
      /power of two/,
    ],
    [
      'overlapping tensors',
      () =>
        patchAfter(
          good(),
          `output_norm.weight${u32(1).toString('latin1')}${u64(64).toString('latin1')}${u32(0).toString('latin1')}`,
          u64(0),
        ),
      /overlap/,
    ],
    [
      'an offset off the alignment',
      () =>
        patchAfter(
          good(),
          `output_norm.weight${u32(1).toString('latin1')}${u64(64).toString('latin1')}${u32(0).toString('latin1')}`,
          u64(1),
        ),
      /not aligned/,
    ],
  ];
  for (const [name, bytes, message] of malformed) {
    test(`refuses ${name}`, () =>
      rejectsWith(
        withGguf(bytes(), () => undefined),
        'modelCorrupt',
        message,
      ));
  }

  test('refuses other versions and byte orders, naming them', async () => {
    const version = (value: number) => patchAfter(good(), 'GGUF', u32(value));
    await rejectsWith(
      withGguf(version(2), () => undefined),
      'modelUnsupported',
      /version 2/,
    );
    await rejectsWith(
      withGguf(version(0x0300_0000), () => undefined),
      'modelUnsupported',
      /big-endian/,
    );
  });

  test('refuses tensor formats that it does not read, naming tensor and format', async () => {
    const dims = `token_embd.weight${u32(2).toString('latin1')}${u64(64).toString('latin1')}${u64(8).toString('latin1')}`;
    const q5k = patchAfter(good(), dims, u32(13));
    await rejectsWith(
      withGguf(q5k, () => undefined),
      'modelUnsupported',
      /token_embd\.weight.*Q5_K/,
    );
    const unknown = patchAfter(good(), dims, u32(99));
    await rejectsWith(
      withGguf(unknown, () => undefined),
      'modelUnsupported',
      /token_embd\.weight.*number 99/,
    );
  });
});
