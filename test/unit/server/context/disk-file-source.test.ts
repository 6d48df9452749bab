import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DiskFileSource } from '../../../../server/context/disk-file-source';
import { asOrdinaryUser } from '../../support/permissions';

const MAKE_PIPE = 'mkfifo';

suite('disk-file-source', () => {
  const source = new DiskFileSource();
  let dir: string;
  setup(() => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-source-'));
  });
  teardown(() => fs.rmSync(dir, { recursive: true }));

  test('reads bytes with the stamp that belongs to them', async () => {
    const file = path.join(dir, 'a');
    fs.writeFileSync(file, 'abc');
    const content = await source.read(file, 10);
    assert.ok(content !== 'tooLarge');
    assert.equal(Buffer.from(content.bytes).toString(), 'abc');
    assert.deepEqual(content.stamp, await source.stat(file));
  });

  test('a file or a folder that may not be read is an error that says so', async () => {
    const file = path.join(dir, 'locked/a');
    fs.mkdirSync(path.dirname(file));
    fs.writeFileSync(file, 'abc');
    fs.chmodSync(dir, 0o755);
    fs.chmodSync(file, 0);
    await asOrdinaryUser(() => assert.rejects(source.read(file, 10), /EACCES/));
    fs.chmodSync(path.dirname(file), 0);
    await asOrdinaryUser(() => assert.rejects(source.stat(file), /EACCES/));
    fs.chmodSync(path.dirname(file), 0o755);
    fs.chmodSync(file, 0o644);
    assert.notEqual(await source.read(file, 10), 'tooLarge');
  });

  test('a file above the limit is not read', async () => {
    const file = path.join(dir, 'a');
    fs.writeFileSync(file, 'abc');
    assert.equal(await source.read(file, 2), 'tooLarge');
  });

  test('what is read is one state of a file that is rewritten all the time', async () => {
    const file = path.join(dir, 'a');
    const states = ['x'.repeat(300_000), 'y'.repeat(200_000)];
    fs.writeFileSync(file, states[0]!);
    const stop = new AbortController();
    const writer = (async () => {
      for (let round = 0; !stop.signal.aborted; round++) {
        fs.writeFileSync(`${file}.new`, states[round % 2]!);
        fs.renameSync(`${file}.new`, file);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let round = 0; round < 50; round++) {
      const content = await source.read(file, 1e6);
      assert.ok(content !== 'tooLarge');
      assert.ok(states.includes(Buffer.from(content.bytes).toString()));
    }
    stop.abort();
    await writer;
  });

  test('folders, pipes and missing files are errors, and a pipe does not hang', async () => {
    await assert.rejects(source.read(dir, 10));
    await assert.rejects(source.stat(path.join(dir, 'gone')), /ENOENT/);
    if (process.platform === 'win32') return;
    execFileSync(MAKE_PIPE, [path.join(dir, 'pipe')]);
    await assert.rejects(source.read(path.join(dir, 'pipe'), 10), /not a regular file/);
  });
});
