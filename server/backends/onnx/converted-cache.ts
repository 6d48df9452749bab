import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { LongviewError, messageOf } from '../../errors';
import type { ConvertedTensors, WeightsSink } from './convert';
import { fillFolder, inspectFolder } from './converted-folder';
import { CONVERTER_VERSION, type WeightsManifest } from './converted-weights';
import { isNodeError } from './node-error';

const UNFINISHED_SUFFIX = '.unfinished';
/** Older unfinished folders belong to no living conversion. */
const ABANDONED_AFTER_MS = 6 * 60 * 60 * 1000;

export interface ConvertedWeights {
  /** Folder that holds the weights file. */
  dir: string;
  manifest: WeightsManifest;
  /** What was wrong with the weights found, which were therefore made again. */
  damage?: string;
}

export interface ConvertedCacheOptions {
  cacheDir: string;
  modelSha256: string;
  /** Writes all tensors. Called only when the cache has no sound copy. */
  convert: (sink: WeightsSink) => Promise<ConvertedTensors>;
}

/**
 * Converted weights from the cache, or made now. A folder is filled under another name and renamed when it
 * is complete, so that neither a crash nor a second process leaves half of one.
 *
 * @throws LongviewError `diskFull`; `engineFailed` when the cache folder cannot be used
 */
export async function openConvertedWeights(options: ConvertedCacheOptions): Promise<ConvertedWeights> {
  const { cacheDir, modelSha256 } = options;
  const parent = path.join(cacheDir, 'converted');
  const dir = path.join(parent, `${modelSha256}-v${CONVERTER_VERSION}`);
  try {
    const found = await inspectFolder(dir, modelSha256);
    if (found.state === 'sound') return { dir, manifest: found.manifest };
    await mkdir(parent, { recursive: true });
    await removeLeftovers(parent, modelSha256);
    const manifest = await convertInto(dir, options);
    return { dir, manifest, ...(found.state === 'damaged' && { damage: found.reason }) };
  } catch (error) {
    throw describeFailure(error, parent);
  }
}

async function convertInto(dir: string, options: ConvertedCacheOptions): Promise<WeightsManifest> {
  const unfinished = `${dir}.${randomUUID()}${UNFINISHED_SUFFIX}`;
  try {
    const manifest = await fillFolder(unfinished, options.modelSha256, options.convert);
    await publish(unfinished, dir, options.modelSha256);
    return manifest;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Renames into place; a sound folder that another process put there meanwhile is as good as this one. */
async function publish(unfinished: string, dir: string, modelSha256: string): Promise<void> {
  if (await renameIfFree(unfinished, dir)) return;
  if ((await inspectFolder(dir, modelSha256)).state === 'sound') return;
  const aside = `${dir}.${randomUUID()}${UNFINISHED_SUFFIX}`;
  await renameIfFree(dir, aside);
  await rm(aside, { recursive: true, force: true });
  if (await renameIfFree(unfinished, dir)) return;
  if ((await inspectFolder(dir, modelSha256)).state === 'sound') return;
  throw new Error(`${dir} is in use and damaged`);
}

/** False when the target exists or the source is gone: another process was faster. */
async function renameIfFree(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isNodeError(error, 'ENOTEMPTY', 'EEXIST', 'EPERM', 'ENOENT')) return false;
    throw error;
  }
}

/** Weights of this model by older converters, and what conversions that died left behind. */
async function removeLeftovers(parent: string, modelSha256: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const folder = path.join(parent, name);
    const version = name.startsWith(`${modelSha256}-v`) ? Number(name.slice(modelSha256.length + 2)) : NaN;
    const abandoned = name.endsWith(UNFINISHED_SUFFIX) && (await isAbandoned(folder));
    if (version < CONVERTER_VERSION || abandoned) await rm(folder, { recursive: true, force: true });
  }
}

async function isAbandoned(dir: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(dir)).mtimeMs > ABANDONED_AFTER_MS;
  } catch (error) {
    if (isNodeError(error, 'ENOENT')) return false;
    throw error;
  }
}

function describeFailure(error: unknown, dir: string): unknown {
  if (isNodeError(error, 'ENOSPC', 'EDQUOT')) {
    return new LongviewError(
      'diskFull',
      `The disk is full: the converted weights do not fit into ${dir}.`,
      'Free some space, about one and a half times the size of the model file, and ask again.',
      { path: dir },
      { cause: error },
    );
  }
  if (!isNodeError(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST')) return error;
  return new LongviewError(
    'engineFailed',
    `The converted weights cannot be kept in ${dir}: ${messageOf(error)}.`,
    'Make the folder writable, or choose another cache folder.',
    { path: dir },
    { cause: error },
  );
}
