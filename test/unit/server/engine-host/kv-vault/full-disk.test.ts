import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DeviceBackend } from '../../../../../server/backends/backend';
import { KvVault } from '../../../../../server/engine-host/kv-vault/kv-vault';
import { asOrdinaryUser } from '../../../support/permissions';
import { smallDisk, withFileLimit } from '../../../support/small-disk';

const TOKENS = 4;
const BLOCK_BYTES = 60_000;
const IDS = Array.from({ length: 12 }, (_, at) => createHash('sha256').update(`${at}`).digest('hex'));

/** Real refusals of a real file system. */
suite('KvVault on a disk that refuses', function () {
  if (process.platform !== 'linux') this.pending = true;
  let parent: string;
  setup(() => {
    parent = fs.mkdtempSync(path.join(tmpdir(), 'longview-kv-'));
  });
  teardown(() => {
    fs.chmodSync(parent, 0o700);
    fs.rmSync(parent, { recursive: true, force: true });
  });

  /** A device whose KV of the n-th block is its number, many times. */
  function device() {
    const imported: number[] = [];
    const backend = {
      exportKv: ({ startToken }: { startToken: number }) =>
        Promise.resolve(new Uint8Array(BLOCK_BYTES).fill(startToken / TOKENS + 1)),
      importKv: ({ kv }: { kv: Uint8Array }) => {
        assert.equal(new Set(kv).size, 1, 'a whole block');
        imported.push(kv[0] ?? 0);
        return Promise.resolve();
      },
    } as unknown as DeviceBackend;
    return { backend, imported };
  }
  const blockAt = (index: number) => ({
    sequence: 1,
    block: IDS[index]!,
    startToken: index * TOKENS,
    tokens: TOKENS,
  });

  /** Stores blocks until the disk refuses; returns how many were kept and why no more. */
  async function storeAll(folder: string): Promise<{ kept: number; failure: string | undefined }> {
    const vault = new KvVault(folder, { memoryBytes: 1e7, diskBytes: 1e9 });
    const { backend, imported } = device();
    let kept = 0;
    let failure: string | undefined;
    for (const index of IDS.keys()) {
      const { diskFailure } = await vault.store(backend, blockAt(index));
      failure ??= diskFailure;
      if (failure === undefined) kept++;
    }
    // The memory serves all the same, also what the disk refused.
    const last = IDS.length - 1;
    assert.deepEqual(await vault.restore(backend, { ...blockAt(last), following: [] }), {
      source: 'memory',
    });
    assert.deepEqual(imported, [IDS.length]);
    return { kept, failure };
  }

  /** What another process finds: whole blocks, from the first on, and nothing that is half written. */
  async function assertWhole(folder: string, kept: number): Promise<void> {
    const vault = new KvVault(folder, { memoryBytes: 0, diskBytes: 1e9 });
    const { backend, imported } = device();
    assert.equal(await vault.countLeading(IDS), kept);
    for (let index = 0; index < kept; index++) {
      const restored = await vault.restore(backend, { ...blockAt(index), following: [] });
      assert.deepEqual(restored, { source: 'disk' });
    }
    assert.deepEqual(
      imported,
      Array.from({ length: kept }, (_, index) => index + 1),
    );
    const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
    assert.deepEqual(
      names.filter((name) => !name.endsWith('.kv')),
      [],
    );
    assert.equal(names.length, kept);
  }

  test('a disk that becomes full in the middle of a block', async function () {
    const disk = smallDisk(512 * 1024);
    if (!disk) this.skip();
    try {
      const folder = path.join(disk.folder, 'kv');
      const { kept, failure } = await storeAll(folder);
      assert.ok(kept > 2 && kept < IDS.length, `${kept} blocks`);
      assert.match(failure ?? '', /ENOSPC/);
      await assertWhole(folder, kept);
    } finally {
      disk.dispose();
    }
  });

  test('a write that ends half way', async () => {
    const folder = path.join(parent, 'kv');
    const { kept, failure } = await withFileLimit(BLOCK_BYTES / 2, () => storeAll(folder));
    assert.equal(kept, 0);
    assert.match(failure ?? '', /EFBIG/);
    await assertWhole(folder, 0);
  });

  test('a folder that may not be written', async () => {
    fs.chmodSync(parent, 0o555);
    const folder = path.join(parent, 'kv');
    const { kept, failure } = await asOrdinaryUser(() => storeAll(folder));
    assert.equal(kept, 0);
    assert.match(failure ?? '', /EACCES/);
    await assertWhole(folder, 0);
  });

  test('blocks that may not be read are as good as not there, and the next purge says so', async () => {
    const folder = path.join(parent, 'kv');
    await storeAll(folder);
    fs.chmodSync(parent, 0o755);
    fs.chmodSync(folder, 0o000);
    await asOrdinaryUser(async () => {
      const vault = new KvVault(folder, { memoryBytes: 0, diskBytes: 1e9 });
      const { backend } = device();
      assert.equal(await vault.countLeading(IDS), 0);
      assert.deepEqual(await vault.restore(backend, { ...blockAt(0), following: [] }), { missing: 'absent' });
      await assert.rejects(vault.purge(), /EACCES/);
    });
    fs.chmodSync(folder, 0o700);
    await assertWhole(folder, IDS.length);
  });
});
