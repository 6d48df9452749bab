import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { IndexFile } from '../../../../server/context/index/index-file';
import { asOrdinaryUser } from '../../support/permissions';
import { smallDisk, withFileLimit } from '../../support/small-disk';
import { contentOf, tableOf } from './index-tables';

/** Real refusals of a real file system. */
suite('index-file on a disk that refuses', () => {
  let folder: string;
  setup(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-index-'));
  });
  teardown(() => fs.rmSync(folder, { recursive: true, force: true }));

  const few = tableOf(3);
  const many = tableOf(2000);

  test('a disk that becomes full while it is saved keeps the index there was', async function () {
    const disk = smallDisk(64 * 1024);
    if (!disk) this.skip();
    try {
      const file = new IndexFile(disk.folder, ['/w']);
      await file.save(few);
      fs.writeFileSync(path.join(disk.folder, 'others'), Buffer.alloc(48 * 1024));
      await assert.rejects(file.save(many), /ENOSPC/);
      assert.deepEqual(contentOf(await file.load()), contentOf(few));
      assert.equal(fs.readdirSync(disk.folder).length, 2);
    } finally {
      disk.dispose();
    }
  });

  test('a save that ends anywhere keeps the index there was', async function () {
    if (process.platform !== 'linux') this.skip();
    const file = new IndexFile(folder, ['/w']);
    await file.save(many);
    const [name = ''] = fs.readdirSync(folder);
    const { size } = fs.statSync(path.join(folder, name));
    await file.save(few);
    // In its head, in its middle, and so near to its end that only the last write is cut short.
    for (const limit of [20, size / 2, size - 100, size - 1]) {
      await withFileLimit(Math.floor(limit), () =>
        assert.rejects(file.save(many), /EFBIG/, `${limit} bytes`),
      );
      assert.deepEqual(contentOf(await file.load()), contentOf(few));
      assert.equal(fs.readdirSync(folder).length, 1);
    }
    await file.save(many);
    assert.deepEqual(contentOf(await file.load()), contentOf(many));
  });

  test('a folder that may not be written, and an index that may not be read', async () => {
    const file = new IndexFile(path.join(folder, 'indexes'), ['/w']);
    fs.chmodSync(folder, 0o555);
    await asOrdinaryUser(() => assert.rejects(file.save(few), /EACCES/));
    fs.chmodSync(folder, 0o755);
    await file.save(few);
    fs.chmodSync(path.join(folder, 'indexes'), 0o000);
    assert.equal(await asOrdinaryUser(() => file.load()), undefined);
    fs.chmodSync(path.join(folder, 'indexes'), 0o700);
    assert.deepEqual(contentOf(await file.load()), contentOf(few));
  });

  test('what a killed process left half written is removed, what a living one writes is not', async () => {
    const file = new IndexFile(folder, ['/w']);
    await file.save(few);
    const [name = ''] = fs.readdirSync(folder);
    const [old, fresh, other] = [`${name}.old`, `${name}.fresh`, 'other.index.old'].map((each) =>
      path.join(folder, each),
    );
    for (const left of [old!, fresh!, other!]) fs.writeFileSync(left, 'x');
    for (const left of [old!, other!]) fs.utimesSync(left, 1, 1);
    await file.save(many);
    assert.deepEqual(
      [old!, fresh!, other!].map((left) => fs.existsSync(left)),
      [false, true, true],
      'of other folders, their own windows know',
    );
  });
});
