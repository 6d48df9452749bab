import { statfs } from 'node:fs/promises';
import { LongviewError } from '../errors';
import { hasCode } from './json-file';

/** Free space for this user in the file system of a folder, in bytes. */
export type FreeBytes = (folder: string) => Promise<number>;

export const freeBytesIn: FreeBytes = async (folder) => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

/** What is about to be written, and where. */
export interface DiskClaim {
  readonly folder: string;
  /** Names the thing in the error. */
  readonly what: string;
  /** Bytes still to be written, asked anew when it fails. */
  readonly neededBytes: () => Promise<number>;
}

/**
 * Runs `work`; refuses at once when the space is plainly too small.
 *
 * @throws LongviewError `diskFull`, with the bytes needed and free, also in place of any "no space" error of
 * `work`; everything else that `work` throws
 */
export async function withDiskSpace<T>(
  claim: DiskClaim,
  freeBytes: FreeBytes,
  work: () => Promise<T>,
): Promise<T> {
  if ((await freeBytes(claim.folder)) < (await claim.neededBytes())) throw await diskFull(claim, freeBytes);
  try {
    return await work();
  } catch (error) {
    if (hasCode(error, 'ENOSPC', 'EDQUOT')) throw await diskFull(claim, freeBytes, { cause: error });
    throw error;
  }
}

async function diskFull(
  claim: DiskClaim,
  freeBytes: FreeBytes,
  options?: ErrorOptions,
): Promise<LongviewError> {
  const needed = await claim.neededBytes();
  const free = await freeBytes(claim.folder);
  return new LongviewError(
    'diskFull',
    `The disk is full: ${claim.what} needs ${inMegabytes(needed)} more in ${claim.folder}, ${inMegabytes(free)} are free.`,
    'Free some space or choose another cache folder, then try again; what is already there is kept.',
    { neededBytes: needed, freeBytes: free, folder: claim.folder },
    options,
  );
}

function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString('en', { maximumFractionDigits: bytes < 1e6 ? 3 : 0 })} MB`;
}
