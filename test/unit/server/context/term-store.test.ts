import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { TermStore } from '../../../../server/context/index/term-store';

suite('term-store', () => {
  let folder: string;
  setup(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-terms-'));
  });
  teardown(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** Terms of a file whose only telling thing is its number. */
  function terms(number: number): Int32Array {
    const words = new Int32Array(100_006).fill(number);
    words.set([80_000, 3, number]);
    return words;
  }
  /** Seven segments. */
  const fill = (store: TermStore) => Array.from({ length: 70 }, (_, at) => store.add(terms(at)));
  function check(store: TermStore, references: readonly number[], order = references.map((_, at) => at)) {
    for (const at of order) assert.deepEqual(store.view(references[at]!), terms(at), `of ${at}`);
  }

  test('full segments go to a file that has no name and are read in any order', () => {
    const store = new TermStore(folder);
    const references = fill(store);
    assert.deepEqual(fs.readdirSync(folder), []);
    check(store, references);
    const shuffled = references.map((_, at) => (at * 37) % references.length);
    check(store, references, shuffled);
    check(store, [...references, store.add(terms(70))]);
    store.release();
  });

  test('where nothing can be written, they stay in memory', () => {
    const file = path.join(folder, 'no-folder');
    fs.writeFileSync(file, '');
    for (const store of [new TermStore(file), new TermStore()]) check(store, fill(store));
  });

  test('who retains them reads on when their owner has let go; afterwards nobody does', () => {
    const store = new TermStore(folder);
    const references = fill(store);
    const retained = store.retain();
    store.release();
    check(store, references);
    retained.release();
    assert.throws(() => check(store, references), /closed/);
  });
});
