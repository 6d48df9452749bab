import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import type { ConvertedTensors, WeightsSink } from '../../../../../server/backends/onnx/convert';
import { openConvertedWeights } from '../../../../../server/backends/onnx/converted-cache';
import { CONVERTER_VERSION, WEIGHTS_FILE } from '../../../../../server/backends/onnx/converted-weights';
import { LongviewError } from '../../../../../server/errors';
import { makeTempDir } from './tiny-models';

const MODEL = 'a'.repeat(64);

suite('cache of converted weights', () => {
  let cacheDir: string;
  let conversions: number;

  setup(() => {
    cacheDir = makeTempDir();
    conversions = 0;
  });
  teardown(() => fs.rmSync(cacheDir, { recursive: true, force: true }));

  const parent = () => path.join(cacheDir, 'converted');
  const folderName = `${MODEL}-v${CONVERTER_VERSION}`;
  const inFolder = (file: string) => path.join(parent(), folderName, file);

  async function convert(sink: WeightsSink): Promise<ConvertedTensors> {
    conversions++;
    return {
      vectors: {
        first: await sink.append(Uint8Array.of(1, 2, 3, 4)),
        second: await sink.append(new Uint8Array(1000).fill(7)),
      },
      matrices: {},
    };
  }

  const open = (convertWith = convert) =>
    openConvertedWeights({ cacheDir, modelSha256: MODEL, convert: convertWith });

  /** Opens after harm was done: it must be seen, told and made good. */
  async function assertMadeAgain(reason: RegExp): Promise<void> {
    const again = await open();
    assert.equal(conversions, 2);
    assert.match(again.damage ?? '', reason);
    assert.equal((await open()).damage, undefined);
    assert.equal(conversions, 2);
    assert.deepEqual(fs.readdirSync(parent()), [folderName]);
  }

  test('converts once, then finds the same', async () => {
    const made = await open();
    const found = await open();
    assert.equal(conversions, 1);
    assert.deepEqual(found, made);
    assert.equal(made.damage, undefined);
    assert.equal(made.dir, path.join(parent(), folderName));
    const { second } = made.manifest.vectors;
    assert.ok(second && second.offsetBytes % 64 === 0);
    const bytes = fs.readFileSync(inFolder(WEIGHTS_FILE)).subarray(second.offsetBytes);
    assert.deepEqual(new Uint8Array(bytes), new Uint8Array(1000).fill(7));
  });

  test('a file cut short is made again', async () => {
    await open();
    fs.truncateSync(inFolder(WEIGHTS_FILE), 500);
    await assertMadeAgain(/wrong size/);
  });

  test('a missing weights file is made again', async () => {
    await open();
    fs.rmSync(inFolder(WEIGHTS_FILE));
    await assertMadeAgain(/wrong size/);
  });

  test('one changed byte is made again', async () => {
    await open();
    const bytes = fs.readFileSync(inFolder(WEIGHTS_FILE));
    bytes[700] = 8;
    fs.writeFileSync(inFolder(WEIGHTS_FILE), bytes);
    fs.utimesSync(inFolder(WEIGHTS_FILE), 1, 1);
    await assertMadeAgain(/checksum/);
  });

  test('a file that was only touched is verified in full and kept', async () => {
    await open();
    fs.utimesSync(inFolder(WEIGHTS_FILE), 1, 1);
    assert.equal((await open()).damage, undefined);
    assert.equal(conversions, 1);
  });

  test('a changed list of contents is made again', async () => {
    await open();
    const text = fs.readFileSync(inFolder('manifest.json'), 'utf8');
    assert.ok(text.includes('"offsetBytes\\":64'));
    fs.writeFileSync(inFolder('manifest.json'), text.replace('"offsetBytes\\":64', '"offsetBytes\\":65'));
    await assertMadeAgain(/list of contents/);
  });

  for (const text of ['', '{"sha256":', '[]', '{"sha256":"x","manifest":"{}"}']) {
    test(`the list of contents ${JSON.stringify(text)} is made again`, async () => {
      await open();
      fs.writeFileSync(inFolder('manifest.json'), text);
      await assertMadeAgain(/list of contents/);
    });
  }

  test('an empty folder in the place is made again', async () => {
    conversions = 1;
    fs.mkdirSync(path.join(parent(), folderName), { recursive: true });
    await assertMadeAgain(/missing/);
  });

  test('weights of another model under the same name are made again', async () => {
    await open();
    fs.renameSync(path.join(parent(), folderName), path.join(parent(), `other-v${CONVERTER_VERSION}`));
    await openConvertedWeights({ cacheDir, modelSha256: 'other', convert });
    assert.equal(conversions, 2);
  });

  test('a conversion that fails leaves nothing', async () => {
    const failing = async (sink: WeightsSink) => {
      await sink.append(new Uint8Array(100));
      throw new Error('broken on the way');
    };
    await assert.rejects(open(failing), /broken on the way/);
    assert.deepEqual(fs.readdirSync(parent()), []);
  });

  for (const code of ['ENOSPC', 'EDQUOT']) {
    test(`${code} says that the disk is full and leaves nothing`, async () => {
      const failing = () => Promise.reject(Object.assign(new Error(`${code}: write`), { code }));
      await assert.rejects(open(failing), (error) => {
        assert.ok(error instanceof LongviewError);
        assert.equal(error.code, 'diskFull');
        assert.match(error.message, /disk is full/);
        assert.match(error.action, /Free some space/);
        return true;
      });
      assert.deepEqual(fs.readdirSync(parent()), []);
    });
  }

  test('a cache folder that cannot be made is named', async () => {
    fs.writeFileSync(parent(), 'a file in the way');
    await assert.rejects(open(), (error) => {
      assert.ok(error instanceof LongviewError);
      assert.equal(error.code, 'engineFailed');
      assert.ok(error.message.includes(parent()));
      return true;
    });
  });

  test('two conversions at once both succeed and leave one sound folder', async () => {
    let entered = 0;
    const bothEntered = new EventEmitter();
    const together = once(bothEntered, 'both');
    const meeting = async (sink: WeightsSink) => {
      entered++;
      if (entered === 2) bothEntered.emit('both');
      await together;
      return convert(sink);
    };
    const [first, second] = await Promise.all([open(meeting), open(meeting)]);
    assert.deepEqual(first, second);
    assert.equal(conversions, 2);
    assert.deepEqual(fs.readdirSync(parent()), [folderName]);
    await open();
    assert.equal(conversions, 2);
  });

  test('what older converters and dead conversions left is removed; a living one is not', async () => {
    const make = (name: string) => fs.mkdirSync(path.join(parent(), name), { recursive: true });
    const living = `${folderName}.living.unfinished`;
    const dead = `${folderName}.dead.unfinished`;
    for (const name of [`${MODEL}-v0`, `${MODEL}-v99`, 'b-v0', living, dead]) make(name);
    fs.utimesSync(path.join(parent(), dead), 1, 1);
    await open();
    assert.deepEqual(fs.readdirSync(parent()).sort(), [folderName, living, `${MODEL}-v99`, 'b-v0'].sort());
  });
});
