import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { NO_CHOICES } from '../../../../protocol';
import type { ContextService } from '../../../../server/context/context-service';
import { createContextService } from '../../../../server/context/worker-client';
import { CancelledError, LongviewError } from '../../../../server/errors';

/** A worker that answers what it was told so far, and dies, fails or hangs on request. */
const STAND_IN = `
const { parentPort } = require('node:worker_threads');
const told = [];
const waiting = new Map();
parentPort.on('message', (m) => {
  if (m.kind === 'cancel') return parentPort.postMessage({ kind: 'error', id: m.id, error: { kind: 'cancelled' } });
  if (m.kind === 'release') return;
  if (m.method === 'sync') told.push(m.params.mode + ':' + m.params.paths.split(String.fromCharCode(0)).join());
  if (m.method === 'choose') told.push('choose:' + m.params.pinned.join());
  if (m.method === 'overlay') told.push('overlay:' + m.params.path);
  if (m.method === 'pack') {
    const question = m.params.question;
    if (question === 'die') throw new Error('out of luck');
    if (question === 'exit') process.exit(3);
    if (question === 'hang') return;
    if (question === 'named') return parentPort.postMessage({ kind: 'error', id: m.id, error: { kind: 'named', message: 'too long', code: 'promptTooLong', action: 'Shorten it.', details: { n: 1 } } });
    if (question === 'bug') return parentPort.postMessage({ kind: 'error', id: m.id, error: { kind: 'unexpected', message: 'x is undefined', stack: 'at y' } });
    parentPort.postMessage({ kind: 'progress', id: m.id, fraction: 0.5 });
    return parentPort.postMessage({ kind: 'result', id: m.id, result: { packId: 1, tokenIds: new Int32Array([7]), inclusion: told, tokenizeMs: 0 } });
  }
  parentPort.postMessage({ kind: 'result', id: m.id, result: m.method === 'cite' ? { citations: [], symbols: [] } : null });
});
`;

suite('worker-client', () => {
  let dir: string;
  let service: ContextService;
  setup(() => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-worker-'));
    fs.writeFileSync(path.join(dir, 'worker.js'), STAND_IN);
    service = createContextService({ workerPath: path.join(dir, 'worker.js') });
  });
  teardown(async () => {
    await service.dispose();
    fs.rmSync(dir, { recursive: true });
  });

  const pack = (question: string, signal = new AbortController().signal, fractions: number[] = []) =>
    service.pack(
      { question, history: [], attachments: [], modelPath: 'm', budgetTokens: 1 },
      (fraction) => fractions.push(fraction),
      signal,
    );
  const told = async () => (await pack('what were you told')).inclusion as unknown as string[];
  const entry = (name: string) => ({ root: 0, path: name, sizeBytes: 1, mtimeMs: 1 });
  const full = (revision: number, last: boolean, ...names: string[]) =>
    service.sync({
      mode: 'full',
      revision,
      last,
      roots: [{ name: 'w', path: '/w' }],
      upserts: names.map(entry),
      removals: [],
    });
  const delta = (revision: number, ...names: string[]) =>
    service.sync({ mode: 'delta', revision, last: true, roots: [], upserts: names.map(entry), removals: [] });

  test('results, progress and transferred tokens come back', async () => {
    const fractions: number[] = [];
    const packed = await pack('x', undefined, fractions);
    assert.deepEqual([...packed.tokenIds], [7]);
    assert.deepEqual(fractions, [0.5]);
    assert.deepEqual(await service.cite(1, 'answer'), { citations: [], symbols: [] });
    service.release(1);
  });

  test('the list is passed on, and a lost step is noticed', async () => {
    assert.equal((await delta(1, 'x')).resync, true);
    assert.deepEqual(await full(1, false, 'a'), { resync: false, files: 0 });
    assert.deepEqual(await full(1, true, 'b'), { resync: false, files: 2 });
    assert.deepEqual(await delta(2, 'c'), { resync: false, files: 3 });
    assert.equal((await delta(7, 'x')).resync, true);
    assert.deepEqual(await told(), ['full:a', 'full:b', 'delta:c']);
  });

  test('errors keep their code, action and details; others are named internal', async () => {
    await assert.rejects(pack('named'), (error) => {
      assert.ok(error instanceof LongviewError);
      assert.deepEqual(error.toData(), { code: 'promptTooLong', action: 'Shorten it.', details: { n: 1 } });
      return error.message === 'too long';
    });
    await assert.rejects(pack('bug'), (error) => {
      assert.ok(error instanceof LongviewError && error.cause instanceof Error);
      assert.equal(error.cause.stack, 'at y');
      return error.code === 'internal' && error.message.includes('x is undefined');
    });
  });

  test('cancelling reaches the worker; what is cancelled before is never sent', async () => {
    const controller = new AbortController();
    const hanging = pack('hang', controller.signal);
    controller.abort();
    await assert.rejects(hanging, CancelledError);
    await assert.rejects(pack('die', AbortSignal.abort()), CancelledError);
    assert.deepEqual(await told(), []);
  });

  for (const death of ['die', 'exit']) {
    test(`a worker that dies (${death}) fails its calls; the next one knows all again`, async () => {
      await full(1, true, 'a', 'b');
      await delta(2, 'c');
      await service.overlay({ root: 0, path: 'a', text: 'unsaved' });
      await service.overlay({ root: 0, path: 'b', text: 'gone' });
      await service.overlay({ root: 0, path: 'b', text: null });
      await service.choose({ ...NO_CHOICES, pinned: ['a'] });
      const bystander = assert.rejects(pack('hang'), /stopped/);
      await assert.rejects(pack(death), (error) => {
        assert.ok(error instanceof LongviewError);
        return error.code === 'internal' && error.action.startsWith('Ask again');
      });
      await bystander;
      assert.deepEqual(await told(), ['full:a,b,c', 'overlay:a', 'choose:a']);
      assert.equal((await delta(3, 'd')).files, 4);
    });
  }

  test('a worker that dies between the pieces of a list: the next one is told the whole list', async () => {
    await full(1, false, 'a');
    await assert.rejects(pack('die'), /stopped/);
    await full(1, false, 'b');
    await full(1, true, 'c');
    assert.deepEqual(await told(), ['full:a,b,c']);
  });

  test('a worker that starts at once is there before anything is asked; one that cannot is started again', async () => {
    fs.writeFileSync(
      path.join(dir, 'eager.js'),
      `require('node:fs').writeFileSync(${JSON.stringify(path.join(dir, 'started'))}, '');`,
    );
    const eager = createContextService({ workerPath: path.join(dir, 'eager.js'), startsAtOnce: true });
    while (!fs.existsSync(path.join(dir, 'started'))) await new Promise((resolve) => setTimeout(resolve, 5));
    await eager.dispose();
    const late = path.join(dir, 'late.js');
    const lost = createContextService({ workerPath: late, startsAtOnce: true });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await lost.cite(1, 'x').catch(() => undefined);
    fs.writeFileSync(late, STAND_IN);
    assert.deepEqual(await lost.cite(1, 'x'), { citations: [], symbols: [] });
    await lost.dispose();
  });

  test('a worker that cannot start is an error, not a hang', async () => {
    const lost = createContextService({ workerPath: path.join(dir, 'none.js') });
    await assert.rejects(
      lost.cite(1, 'x'),
      (error) => error instanceof LongviewError && error.code === 'internal',
    );
    await lost.dispose();
  });

  test('disposing cancels what runs and refuses what follows', async () => {
    const hanging = assert.rejects(pack('hang'), CancelledError);
    await service.dispose();
    await hanging;
    await assert.rejects(pack('x'), CancelledError);
  });
});
