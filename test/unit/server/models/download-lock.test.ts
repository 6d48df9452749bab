import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DownloadLock } from '../../../../server/models/download-lock';
import { rejectsWith } from './support/errors';
import { useTempFolder } from './support/temp-folder';

const folder = useTempFolder();
const lockPath = () => join(folder(), 'download.lock');
const MINUTES_AGO = new Date(Date.now() - 10 * 60_000);

/** A lock as another process would write it. */
function writeLock(owner: { pid: number; host?: string }, touched = new Date()): void {
  writeFileSync(
    lockPath(),
    JSON.stringify({ token: 'other', modelId: 'other-model', host: hostname(), ...owner }),
  );
  utimesSync(lockPath(), touched, touched);
}

/** The id of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ['--version']).pid;
}

async function acquireAndRelease(): Promise<void> {
  const lock = await DownloadLock.acquire(lockPath(), 'model');
  assert.equal((JSON.parse(readFileSync(lockPath(), 'utf8')) as { pid: number }).pid, process.pid);
  await lock.release();
  assert.deepEqual(readdirSync(folder()), []);
}

suite('DownloadLock', () => {
  test('is held by one at a time, and names the holder', async () => {
    const lock = await DownloadLock.acquire(lockPath(), 'model');
    const error = await rejectsWith(
      DownloadLock.acquire(lockPath(), 'another'),
      'downloadBusy',
      /downloading model/,
    );
    assert.deepEqual(error.details, { pid: process.pid, id: 'model' });
    await lock.release();
    await acquireAndRelease();
  });

  test('goes to exactly one of many who ask at once', async () => {
    const asked = Array.from({ length: 20 }, () => DownloadLock.acquire(lockPath(), 'model'));
    const held = (await Promise.allSettled(asked)).filter((result) => result.status === 'fulfilled');
    assert.equal(held.length, 1);
    await held[0]!.value.release();
  });

  test('is taken over from a dead process, by exactly one', async () => {
    writeLock({ pid: deadPid() });
    const asked = Array.from({ length: 20 }, () => DownloadLock.acquire(lockPath(), 'model'));
    const held = (await Promise.allSettled(asked)).filter((result) => result.status === 'fulfilled');
    assert.equal(held.length, 1);
    await held[0]!.value.release();
    assert.deepEqual(readdirSync(folder()), []);
  });

  test('is taken over when its owner has not touched it for minutes, whatever lives under its number', async () => {
    writeLock({ pid: process.pid }, MINUTES_AGO);
    await acquireAndRelease();
    writeLock({ pid: 1, host: 'elsewhere' }, MINUTES_AGO);
    await acquireAndRelease();
  });

  test('is left to a living process, and to one on another machine', async () => {
    writeLock({ pid: process.ppid });
    await rejectsWith(DownloadLock.acquire(lockPath(), 'model'), 'downloadBusy', /downloading other-model/);
    writeLock({ pid: deadPid(), host: 'elsewhere' });
    await rejectsWith(DownloadLock.acquire(lockPath(), 'model'), 'downloadBusy', /other-model/);
  });

  test('is left to a process that is just writing its name, but not for long', async () => {
    writeFileSync(lockPath(), '');
    await rejectsWith(DownloadLock.acquire(lockPath(), 'model'), 'downloadBusy', /another process/);
    utimesSync(lockPath(), MINUTES_AGO, MINUTES_AGO);
    await acquireAndRelease();
  });

  test('is not given back when another has taken it over', async () => {
    const lock = await DownloadLock.acquire(lockPath(), 'model');
    writeLock({ pid: process.pid });
    await lock.release();
    assert.ok(existsSync(lockPath()));
  });
});
