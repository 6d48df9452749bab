import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ScanInput } from '../../../../server/context/scan/scan-files';
import { scanByThreads } from '../../../../server/context/scan/scan-pool';
import { CancelledError } from '../../../../server/errors';

/** Says of each file how long its path is; dies of some, and hangs at others. */
const STAND_IN = `
const { parentPort } = require('node:worker_threads');
parentPort.on('message', ({ files, mostTerms }) => {
  if (files.some(({ path }) => path === 'die')) throw new Error('out of luck');
  if (files.some(({ path }) => path === 'exit')) process.exit(3);
  if (files.some(({ path }) => path === 'hang')) return;
  parentPort.postMessage({
    states: Uint8Array.from(files, () => mostTerms),
    stamps: Float64Array.from(files.flatMap(({ path }) => [path.length, 0])),
    hashes: new Uint8Array(files.length * 32),
    ends: new Uint32Array(files.length),
    terms: new Int32Array(),
  });
});
`;

suite('scan-pool', () => {
  let folder: string;
  setup(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-pool-'));
    fs.writeFileSync(path.join(folder, 'worker.js'), STAND_IN);
  });
  teardown(() => fs.rmSync(folder, { recursive: true, force: true }));

  const request = (name: string) => ({
    path: name,
    displayPath: name,
    absolutePath: `/w/${name}`,
    sizeBytes: 1,
    mtimeMs: 1,
  });
  const names = (count: number) => Array.from({ length: count }, (_, at) => 'x'.repeat(at % 50));
  async function scan(files: string[], signal = new AbortController().signal) {
    const found = new Map<number, number>();
    const pool = scanByThreads(path.join(folder, 'worker.js'));
    const onFile: ScanInput['onFile'] = (index, { state, stamp, text }) => {
      assert.equal(state, 5);
      assert.equal(text, undefined);
      assert.ok(!found.has(index));
      found.set(index, stamp.sizeBytes);
    };
    const input = { count: files.length, request: (at: number) => request(files[at]!), mostTerms: 5, onFile };
    await pool(input, signal);
    return found;
  }

  test('tells of every file once, under its number', async () => {
    const files = names(1000);
    const found = await scan(files);
    assert.equal(found.size, files.length);
    for (const [index, size] of found) assert.equal(size, files[index]!.length);
    assert.equal((await scan([])).size, 0);
  });

  for (const end of ['die', 'exit']) {
    test(`what a thread was at when it ended (${end}) is not told; the others do the rest`, async () => {
      const files = names(1000);
      files[10] = end;
      const found = await scan(files);
      assert.ok(!found.has(10));
      for (const [index, size] of found) assert.equal(size, files[index]!.length);
    });
  }

  test('ends at once when it is cancelled', async () => {
    const controller = new AbortController();
    const scanning = scan(['hang'], controller.signal);
    controller.abort();
    await assert.rejects(scanning, CancelledError);
    await assert.rejects(scan(['a'], AbortSignal.abort()), CancelledError);
  });
});
