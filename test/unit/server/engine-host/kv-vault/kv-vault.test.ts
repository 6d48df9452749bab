import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DeviceBackend, ImportKvRequest } from '../../../../../server/backends/backend';
import { BlockDisk } from '../../../../../server/engine-host/kv-vault/block-disk';
import { KvVault } from '../../../../../server/engine-host/kv-vault/kv-vault';

const idOf = (name: string): string => createHash('sha256').update(name).digest('hex');
const TOKENS = 4;

suite('KvVault', () => {
  let parent: string;
  let folder: string;
  setup(() => {
    parent = fs.mkdtempSync(path.join(tmpdir(), 'longview-kv-'));
    folder = path.join(parent, 'kv');
  });
  teardown(() => {
    fs.chmodSync(parent, 0o700);
    fs.rmSync(parent, { recursive: true, force: true });
  });

  /** A device whose KV of the n-th block is its number, many times. */
  function device() {
    const imported: ImportKvRequest[] = [];
    let exports = 0;
    const backend = {
      exportKv: ({ startToken }: { startToken: number }) => {
        exports++;
        return Promise.resolve(new Uint8Array(1000).fill(startToken / TOKENS + 1));
      },
      importKv: (request: ImportKvRequest) => {
        imported.push(request);
        return Promise.resolve();
      },
    } as unknown as DeviceBackend;
    return {
      backend,
      imported,
      get exports() {
        return exports;
      },
    };
  }
  const IDS = ['a', 'b', 'c', 'd'].map(idOf);
  const vaultOf = (limits: { memoryBytes?: number; diskBytes?: number } = {}) =>
    new KvVault(folder, { memoryBytes: 0, diskBytes: 1e9, ...limits });
  const store = (vault: KvVault, backend: DeviceBackend, index: number) =>
    vault.store(backend, { sequence: 1, block: IDS[index]!, startToken: index * TOKENS, tokens: TOKENS });
  const restore = (vault: KvVault, backend: DeviceBackend, index: number) =>
    vault.restore(backend, {
      sequence: 1,
      block: IDS[index]!,
      following: IDS.slice(index + 1),
      startToken: index * TOKENS,
      tokens: TOKENS,
    });
  const fileOf = (index: number) => path.join(folder, `${IDS[index]!}.kv`);
  async function stored(): Promise<ReturnType<typeof device>> {
    const one = device();
    const vault = vaultOf();
    for (const index of IDS.keys()) assert.deepEqual(await store(vault, one.backend, index), {});
    return one;
  }

  test('what one process stored, another restores, byte for byte and in order', async () => {
    await stored();
    const { backend, imported } = device();
    const vault = vaultOf();
    assert.equal(await vault.countLeading(IDS), 4);
    for (const index of IDS.keys())
      assert.deepEqual(await restore(vault, backend, index), { source: 'disk' });
    assert.deepEqual(
      imported.map(({ kv, tokens }) => [kv.length, new Set(kv), tokens]),
      [1, 2, 3, 4].map((value) => [1000, new Set([value]), TOKENS]),
    );
  });

  test('belongs to the user alone', async () => {
    await stored();
    assert.equal(fs.statSync(folder).mode & 0o777, 0o700);
    assert.equal(fs.statSync(fileOf(0)).mode & 0o777, 0o600);
  });

  test('memory comes first, and is bounded', async () => {
    const { backend } = device();
    const vault = vaultOf({ memoryBytes: 2500, diskBytes: 0 });
    for (const index of IDS.keys()) await store(vault, backend, index);
    assert.equal(fs.existsSync(folder), false, 'nothing is written');
    assert.deepEqual(await restore(vault, backend, 3), { source: 'memory' });
    assert.deepEqual(await restore(vault, backend, 0), { missing: 'absent' });
    assert.equal(await vault.countLeading(IDS), 0);
  });

  test('what computing took is told by what is on disk, to another process, too', async () => {
    const { backend } = device();
    const vault = vaultOf();
    const request = { sequence: 1, block: IDS[0]!, startToken: 0, tokens: TOKENS };
    await vault.store(backend, { ...request, computeMs: 12.5 });
    await store(vault, backend, 1);
    assert.equal(await vaultOf().computeMs(IDS[0]!), 12.5);
    assert.equal(await vaultOf().computeMs(IDS[1]!), undefined, 'nobody knew');
    assert.equal(await vaultOf().computeMs(IDS[2]!), undefined, 'it is not there');
    for (const damage of [(file: Buffer) => file.subarray(0, 50), (file: Buffer) => file.fill(0xff)]) {
      fs.writeFileSync(fileOf(0), damage(fs.readFileSync(fileOf(0))));
      assert.equal(await vaultOf().computeMs(IDS[0]!), undefined);
    }
  });

  const damages: [string, (file: Buffer) => Buffer, string][] = [
    ['one byte of the payload', (file) => flipped(file, file.length - 1), 'damaged'],
    ['one byte of the checksum', (file) => flipped(file, 50), 'damaged'],
    ['the block that it says to be', (file) => flipped(file, 10), 'damaged'],
    ['a truncated payload', (file) => file.subarray(0, file.length - 1), 'damaged'],
    ['a truncated header', (file) => file.subarray(0, 20), 'damaged'],
    ['an empty file', () => Buffer.alloc(0), 'damaged'],
    ['another kind of file', () => Buffer.alloc(5000, 'x'), 'damaged'],
    ['another version', (file) => flipped(file, 4), 'otherVersion'],
    ['bytes behind the payload', (file) => Buffer.concat([file, Buffer.of(0)]), 'damaged'],
  ];
  for (const [what, damage, missing] of damages) {
    test(`${what} is noticed, never used, and gone the next time`, async () => {
      await stored();
      fs.writeFileSync(fileOf(1), damage(fs.readFileSync(fileOf(1))));
      const { backend, imported } = device();
      const vault = vaultOf();
      assert.deepEqual(await restore(vault, backend, 0), { source: 'disk' });
      assert.deepEqual(await restore(vault, backend, 1), { missing });
      assert.equal(imported.length, 1);
      assert.equal(await vaultOf().countLeading(IDS), 1);
      await store(vaultOf(), backend, 1);
      assert.deepEqual(await restore(vaultOf(), backend, 1), { source: 'disk' });
    });
  }

  test('a full disk is told once, leaves nothing half, and the memory still serves', async () => {
    let writes = 0;
    class FullDisk extends BlockDisk {
      override write(): Promise<void> {
        writes++;
        return Promise.reject(
          Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }),
        );
      }
    }
    const { backend } = device();
    const vault = new KvVault(folder, { memoryBytes: 1e6, diskBytes: 1e9 }, new FullDisk(folder, 1e9));
    for (const index of [1, 2]) {
      const { diskFailure } = await store(vault, backend, index);
      assert.match(diskFailure ?? '', /no space left/);
    }
    assert.equal(writes, 1, 'the disk is left alone afterwards');
    assert.deepEqual(await restore(vault, backend, 2), { source: 'memory' });
  });

  test('a write that fails half way leaves no file', async () => {
    const disk = new BlockDisk(folder, 1e9);
    await disk.write(IDS[0]!, new Uint8Array(10), 0);
    // The name of the block is taken by a folder: the rename, which is last, fails.
    fs.mkdirSync(path.join(fileOf(1), 'in-the-way'), { recursive: true });
    await assert.rejects(disk.write(IDS[1]!, new Uint8Array(10), 1));
    assert.deepEqual(
      fs.readdirSync(folder).sort(),
      [path.basename(fileOf(0)), path.basename(fileOf(1))].sort(),
    );
  });

  test('two windows that write the same blocks at once leave each of them whole', async () => {
    const windows = Array.from({ length: 4 }, () => ({ vault: vaultOf(), ...device() }));
    await Promise.all(
      windows.flatMap(({ vault, backend }) => [...IDS.keys()].map((index) => store(vault, backend, index))),
    );
    const { backend, imported } = device();
    const vault = vaultOf();
    for (const index of IDS.keys())
      assert.deepEqual(await restore(vault, backend, index), { source: 'disk' });
    assert.deepEqual(
      imported.map(({ kv }) => kv[999]),
      [1, 2, 3, 4],
    );
    assert.equal(fs.readdirSync(folder).length, 4);
  });

  test('one window prunes what another is about to read: it is absent, not an error', async () => {
    await stored();
    const { backend } = device();
    const vault = vaultOf();
    assert.equal(await vault.countLeading(IDS), 4);
    fs.rmSync(fileOf(2));
    assert.deepEqual(await restore(vault, backend, 2), { missing: 'absent' });
  });

  test('over the cap, what was not used for longest goes, the end of a prompt before its beginning', async () => {
    const disk = new BlockDisk(folder, 4 * 1100);
    const now = Date.now() / 1000;
    for (const [index, id] of IDS.entries()) await disk.write(id, new Uint8Array(1000), index);
    fs.utimesSync(fileOf(1), now - 1000, now - 1000);
    await disk.write(idOf('e'), new Uint8Array(1000), 4);
    const left = fs.readdirSync(folder).map((name) => name.slice(0, -3));
    assert.ok(left.includes(IDS[0]!) && !left.includes(IDS[1]!));
    assert.ok(left.length <= 4);
  });

  test('what dead processes left half written is removed, what living ones write is not', async () => {
    await stored();
    const [old, fresh] = ['old.part', 'fresh.part'].map((name) => path.join(folder, name));
    for (const file of [old!, fresh!]) fs.writeFileSync(file, 'x');
    fs.utimesSync(old!, 1, 1);
    await new BlockDisk(folder, 1e9).prune(1e9);
    assert.deepEqual([fs.existsSync(old!), fs.existsSync(fresh!)], [false, true]);
  });

  test('a purge removes everything, and tells how much it was', async () => {
    await stored();
    const vault = vaultOf({ memoryBytes: 1e6 });
    const { backend } = device();
    await restore(vault, backend, 0);
    assert.equal(await vault.purge(), 4 * 1088);
    assert.equal(fs.existsSync(folder), false);
    assert.equal(await vault.countLeading(IDS), 0);
    assert.deepEqual(await restore(vault, backend, 0), { missing: 'absent' });
    assert.equal(await vault.purge(), 0);
    await store(vault, backend, 0);
    assert.equal(await vault.countLeading(IDS), 1);
  });
});

function flipped(file: Buffer, at: number): Buffer {
  const copy = Buffer.from(file);
  copy[at] = copy[at]! ^ 1;
  return copy;
}
