import { randomUUID } from 'node:crypto';
import { link, open, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { z } from 'zod';
import { LongviewError } from '../errors';
import { hasCode, readJsonFile } from './json-file';

const HEARTBEAT_MS = 5000;
/** A lock that was not touched for so long has no living owner, whatever its process id says. */
const STALE_AFTER_MS = 60_000;
/** Time for another process to write its name into the lock that it has just created. */
const NAMELESS_GRACE_MS = 2000;
const MAX_TAKEOVERS = 3;

const Owner = z.object({ token: z.string(), pid: z.number(), host: z.string(), modelId: z.string() });
type Owner = z.infer<typeof Owner>;

/**
 * The right to download, held by one process of all that share a cache folder: a file that names its owner.
 * A lock whose owner has died is taken over. Give it back with `release`.
 */
export class DownloadLock {
  private constructor(
    private readonly path: string,
    private readonly token: string,
    private readonly heartbeat: NodeJS.Timeout,
  ) {}

  /** @throws LongviewError `downloadBusy` when another download is under way */
  static async acquire(path: string, modelId: string): Promise<DownloadLock> {
    const owner: Owner = { token: randomUUID(), pid: process.pid, host: hostname(), modelId };
    for (let takeover = 0; takeover <= MAX_TAKEOVERS; takeover++) {
      if (await create(path, owner)) return new DownloadLock(path, owner.token, startHeartbeat(path));
      const holder = await inspect(path);
      if (!holder.stale) throw busy(holder.owner);
      await removeStale(path, holder.owner);
    }
    throw busy(undefined);
  }

  async release(): Promise<void> {
    clearInterval(this.heartbeat);
    const owner = Owner.safeParse(await readJsonFile(this.path)).data;
    if (owner?.token === this.token) await rm(this.path, { force: true });
  }
}

async function create(path: string, owner: Owner): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    try {
      await handle.writeFile(JSON.stringify(owner));
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function inspect(path: string): Promise<{ owner: Owner | undefined; stale: boolean }> {
  const owner = Owner.safeParse(await readJsonFile(path)).data;
  const ageMs = await ageOf(path);
  if (ageMs > STALE_AFTER_MS) return { owner, stale: true };
  if (!owner) return { owner, stale: ageMs > NAMELESS_GRACE_MS };
  return { owner, stale: owner.host === hostname() && !isAlive(owner.pid) };
}

/** Time since the owner last touched the lock; endless when it is gone by now. */
async function ageOf(path: string): Promise<number> {
  try {
    return Date.now() - (await stat(path)).mtimeMs;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return Infinity;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Not ours to signal, but there.
    return hasCode(error, 'EPERM');
  }
}

/** Moves the stale lock away; puts it back when a third process has replaced it in between. */
async function removeStale(path: string, owner: Owner | undefined): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
    const moved = Owner.safeParse(await readJsonFile(aside)).data;
    if (moved?.token !== owner?.token) await link(aside, path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'EEXIST')) throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

function startHeartbeat(path: string): NodeJS.Timeout {
  const beat = () => {
    const now = new Date();
    utimes(path, now, now).catch((error: unknown) => {
      // The lock was taken away, say with the whole cache folder: `release` sees it.
      if (!hasCode(error, 'ENOENT')) throw error;
    });
  };
  return setInterval(beat, HEARTBEAT_MS).unref();
}

function busy(owner: Owner | undefined): LongviewError {
  const who = owner
    ? `process ${owner.pid} is downloading ${owner.modelId}`
    : 'another process is downloading';
  return new LongviewError(
    'downloadBusy',
    `A model download is already under way: ${who}.`,
    'Wait until it has ended or stop it, then try again.',
    { ...(owner && { pid: owner.pid, id: owner.modelId }) },
  );
}
