import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { codeOfReason, TEXT } from '../../../../server/context/file-state';
import { IndexFile } from '../../../../server/context/index/index-file';
import type { IndexTable } from '../../../../server/context/index/index-table';
import { TermCounter } from '../../../../server/context/index/term-counter';
import { NO_TERMS, SEGMENT_WORDS, TermStore } from '../../../../server/context/index/term-store';
import { contentOf } from './index-tables';

suite('index-file', () => {
  let folder: string;
  setup(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-index-'));
  });
  teardown(() => fs.rmSync(folder, { recursive: true, force: true }));

  const table = (text = 'function mergeShards(shard) { return cache; }'): IndexTable => {
    const terms = new TermStore();
    const reference = terms.add(new TermCounter().count('a.ts', text, 100));
    return {
      roots: Int32Array.of(0, 1, 0),
      paths: ['two\nlines 🦭.ts', 'b.png', 'c.ts'],
      sizesBytes: Float64Array.of(10, 20, 30),
      mtimesMs: Float64Array.of(12.5, 13, 14),
      editedAtMs: Float64Array.of(11, 13, 14),
      states: Uint8Array.of(TEXT, codeOfReason('binary'), TEXT),
      hashes: new Uint8Array(96).map((_, at) => at),
      importance: Float64Array.of(0.25, 0, 0.5),
      references: Int32Array.of(reference, NO_TERMS, terms.add(new TermCounter().count('c.ts', 'walrus', 9))),
      terms,
    };
  };
  const only = () => path.join(folder, fs.readdirSync(folder)[0]!);

  test('gives back what was saved, for the same folders alone, and nobody else may read it', async () => {
    const saved = table();
    await new IndexFile(folder, ['/w', '/v']).save(saved);
    const loaded = await new IndexFile(folder, ['/w', '/v']).load();
    assert.deepEqual(contentOf(loaded), contentOf(saved));
    assert.equal(await new IndexFile(folder, ['/w']).load(), undefined);
    assert.equal(fs.statSync(only()).mode & 0o777, 0o600);
  });

  test('wherever it is damaged or cut, it is made anew', async () => {
    const file = new IndexFile(folder, ['/w']);
    await file.save(table());
    const whole = fs.readFileSync(only());
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = whole[at]! ^ 0x41;
      fs.writeFileSync(only(), damaged);
      assert.equal(await file.load(), undefined, `byte ${at}`);
      fs.writeFileSync(only(), whole.subarray(0, at));
      assert.equal(await file.load(), undefined, `${at} bytes`);
    }
    await file.save(table());
    assert.deepEqual(contentOf(await file.load()), contentOf(table()));
  });

  test('a save that fails leaves the index there was, and nothing beside it', async () => {
    const file = new IndexFile(folder, ['/w']);
    await file.save(table());
    const broken = {
      ...table(),
      get terms(): never {
        throw new Error('ENOSPC: no space left on device');
      },
    };
    await assert.rejects(file.save(broken), /ENOSPC/);
    assert.deepEqual(contentOf(await file.load()), contentOf(table()));
    assert.equal(fs.readdirSync(folder).length, 1);
  });

  test('two windows that save at once: one of the two is there, whole', async () => {
    const versions = Array.from({ length: 8 }, (_, at) => table(`text of window ${at} `.repeat(5000)));
    await Promise.all(versions.map((version) => new IndexFile(folder, ['/w']).save(version)));
    const loaded = await new IndexFile(folder, ['/w']).load();
    assert.ok(versions.some((version) => isDeepStrictEqual(contentOf(version), contentOf(loaded))));
    assert.equal(fs.readdirSync(folder).length, 1);
  });

  test('terms of more than a segment: none lies across its end, and all come back', async () => {
    const one = table();
    const terms = new TermStore();
    const large = new Int32Array(375_003).map((_, at) => at);
    large.set([300_000, 0, 1]);
    const references = Int32Array.from({ length: 7 }, () => terms.add(large));
    terms.free(references[2]!);
    references[2] = NO_TERMS;
    const rows = { ...one, terms, references, paths: references.join(' ').split(' ') };
    const columns = ['roots', 'sizesBytes', 'mtimesMs', 'editedAtMs', 'states', 'importance'] as const;
    for (const name of columns)
      Object.assign(rows, { [name]: new (one[name].constructor as Uint8ArrayConstructor)(7) });
    rows.hashes = new Uint8Array(7 * 32);
    const file = new IndexFile(folder, ['/w']);
    await file.save(rows);
    const loaded = await file.load();
    assert.ok(loaded);
    for (const [at, reference] of loaded.references.entries()) {
      assert.equal(reference === NO_TERMS, at === 2);
      if (reference === NO_TERMS) continue;
      assert.deepEqual(loaded.terms.view(reference), large);
      assert.ok((reference % SEGMENT_WORDS) + large.length <= SEGMENT_WORDS);
    }
  });
});
