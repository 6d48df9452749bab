import assert from 'node:assert/strict';
import fs from 'node:fs';
import { listByThread } from '../../../../src/workspace/list-by-thread';
import type { WorkspaceProblem } from '../../../../src/workspace/problem';
import { Scratch } from './scratch';

/** Tells of one file for each root, and ends as the exclude globs say. */
const STAND_IN = `
const { parentPort, workerData } = require('node:worker_threads');
const [end] = workerData.exclude;
workerData.roots.forEach((_, root) => {
  parentPort.postMessage({ kind: 'batch', root, paths: 'a.ts\\0b.ts', stamps: Float64Array.of(1, 2, 3, 4) });
});
parentPort.postMessage({ kind: 'problem', problem: { root: '/w', message: 'one is locked' } });
if (end === 'end') parentPort.postMessage({ kind: 'end' });
if (end === 'failed') parentPort.postMessage({ kind: 'failed', message: 'no ripgrep' });
if (end === 'die') throw new Error('out of luck');
if (end === 'exit') process.exit(3);
if (end === 'hang') setInterval(() => undefined, 1000);
`;

suite('list-by-thread', () => {
  let scratch: Scratch;
  let problems: WorkspaceProblem[];
  setup(() => {
    scratch = new Scratch({ 'worker.js': STAND_IN });
    problems = [];
  });
  teardown(() => scratch.remove());

  async function list(
    end: string,
    signal = new AbortController().signal,
    onBatch: () => void = () => undefined,
  ) {
    const roots = ['v', 'w'].map((name) => ({ name, path: `/${name}` }));
    const batches = listByThread(scratch.at('worker.js'))(
      { roots, exclude: [end] },
      (problem) => problems.push(problem),
      signal,
    );
    const found: string[] = [];
    for await (const batch of batches) {
      found.push(
        ...batch.map(({ root, path, sizeBytes, mtimeMs }) => `${root} ${path} ${sizeBytes} ${mtimeMs}`),
      );
      onBatch();
    }
    return found;
  }

  test('gives what the thread finds, and reports what it could not read', async () => {
    assert.deepEqual(await list('end'), ['0 a.ts 1 2', '0 b.ts 3 4', '1 a.ts 1 2', '1 b.ts 3 4']);
    assert.deepEqual(problems, [{ root: '/w', message: 'one is locked' }]);
  });

  test('a thread that fails, dies or just ends is an error: half a list is none', async () => {
    await assert.rejects(list('failed'), /no ripgrep/);
    await assert.rejects(list('die'), /out of luck/);
    await assert.rejects(list('exit'), /stopped \(3\)/);
    fs.rmSync(scratch.at('worker.js'));
    await assert.rejects(list('end'), /worker\.js/);
  });

  test('who does not want the list any more is told so, and the thread ends', async () => {
    const controller = new AbortController();
    const reason = new Error('other folders');
    await assert.rejects(
      list('hang', controller.signal, () => controller.abort(reason)),
      reason,
    );
    await assert.rejects(list('end', AbortSignal.abort(reason)), reason);
  });
});
