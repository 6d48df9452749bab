import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { TermCounter } from '../../../../server/context/index/file-terms';
import { type IndexEntry, IndexFile } from '../../../../server/context/index/index-file';

suite('index-file', () => {
  let folder: string;
  setup(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-index-'));
  });
  teardown(() => fs.rmSync(folder, { recursive: true, force: true }));

  const entries = (text = 'function mergeShards(shard) { return cache; }'): IndexEntry[] => [
    {
      key: '0\0two\nlines 🦭.ts',
      stamp: { sizeBytes: 10, mtimeMs: 12.5 },
      editedAtMs: 11,
      state: { kind: 'text', hash: 'abc', terms: new TermCounter().count('a.ts', text, 100) },
      importance: 0.25,
    },
    {
      key: '0\0b.png',
      stamp: { sizeBytes: 20, mtimeMs: 13 },
      editedAtMs: 13,
      state: { kind: 'excluded', reason: 'binary' },
    },
  ];
  const only = () => path.join(folder, fs.readdirSync(folder)[0]!);

  test('gives back what was saved, for the same folders alone, and nobody else may read it', async () => {
    const saved = entries();
    await new IndexFile(folder, ['/w', '/v']).save(saved);
    assert.deepEqual(await new IndexFile(folder, ['/w', '/v']).load(), saved);
    assert.equal(await new IndexFile(folder, ['/w']).load(), undefined);
    assert.equal(fs.statSync(only()).mode & 0o777, 0o600);
  });

  test('wherever it is damaged or cut, it is made anew', async () => {
    const file = new IndexFile(folder, ['/w']);
    await file.save(entries());
    const whole = fs.readFileSync(only());
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = whole[at]! ^ 0x41;
      fs.writeFileSync(only(), damaged);
      assert.equal(await file.load(), undefined, `byte ${at}`);
      fs.writeFileSync(only(), whole.subarray(0, at));
      assert.equal(await file.load(), undefined, `${at} bytes`);
    }
    await file.save(entries());
    assert.deepEqual(await file.load(), entries());
  });

  test('a save that fails leaves the index there was, and nothing beside it', async () => {
    const file = new IndexFile(folder, ['/w']);
    await file.save(entries());
    const before = entries();
    const [first] = entries();
    const broken = {
      ...first!,
      get state(): never {
        throw new Error('ENOSPC: no space left on device');
      },
    };
    await assert.rejects(file.save([broken]), /ENOSPC/);
    assert.deepEqual(await file.load(), before);
    assert.equal(fs.readdirSync(folder).length, 1);
  });

  test('two windows that save at once: one of the two is there, whole', async () => {
    const versions = Array.from({ length: 8 }, (_, at) => entries(`text of window ${at} `.repeat(5000)));
    await Promise.all(versions.map((version) => new IndexFile(folder, ['/w']).save(version)));
    const loaded = await new IndexFile(folder, ['/w']).load();
    assert.ok(versions.some((version) => JSON.stringify(version) === JSON.stringify(loaded)));
    assert.equal(fs.readdirSync(folder).length, 1);
  });
});
