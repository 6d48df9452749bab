import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { ConvertedTensors, WeightsSink } from './convert';
import {
  CONVERTER_VERSION,
  WEIGHTS_FILE,
  type WeightsManifest,
  weightsManifestSchema,
} from './converted-weights';
import { isNodeError } from './node-error';
import { sha256OfFile, WeightsFileWriter } from './weights-file';

const MANIFEST_FILE = 'manifest.json';
/** Size and time of the weights file when its checksum was last computed in full. */
const STAMP_FILE = 'verified.json';

export type Inspection =
  | { state: 'absent' }
  | { state: 'damaged'; reason: string }
  | { state: 'sound'; manifest: WeightsManifest };

/**
 * Tells whether `dir` holds complete converted weights of this model. Size and times are looked at each
 * time, the whole checksum only when the file is not the one that was last verified.
 */
export async function inspectFolder(dir: string, modelSha256: string): Promise<Inspection> {
  const manifestText = await readIfThere(path.join(dir, MANIFEST_FILE));
  if (manifestText === undefined) {
    const dirExists = (await statIfThere(dir)) !== undefined;
    return dirExists ? damaged('their list of contents is missing') : { state: 'absent' };
  }
  const manifest = parseManifest(manifestText);
  if (manifest?.modelSha256 !== modelSha256) return damaged('their list of contents is damaged');
  const weightsPath = path.join(dir, WEIGHTS_FILE);
  const found = await statIfThere(weightsPath);
  if (found?.size !== manifest.weightsSizeBytes) return damaged('the file has the wrong size');
  const stamp = JSON.stringify(stampOf(found));
  const stampPath = path.join(dir, STAMP_FILE);
  if ((await readIfThere(stampPath)) !== stamp) {
    if ((await sha256OfFile(weightsPath)) !== manifest.weightsSha256) return damaged('the checksum is wrong');
    await writeFile(stampPath, stamp);
  }
  return { state: 'sound', manifest };
}

/** Makes `dir` and fills it with what `convert` writes. Leaves it as it is when that fails. */
export async function fillFolder(
  dir: string,
  modelSha256: string,
  convert: (sink: WeightsSink) => Promise<ConvertedTensors>,
): Promise<WeightsManifest> {
  await mkdir(dir);
  const weightsPath = path.join(dir, WEIGHTS_FILE);
  const writer = await WeightsFileWriter.create(weightsPath);
  let manifest: WeightsManifest;
  try {
    const tensors = await convert(writer);
    manifest = { converterVersion: CONVERTER_VERSION, modelSha256, ...(await writer.finish()), ...tensors };
  } finally {
    await writer.close();
  }
  await writeFile(path.join(dir, MANIFEST_FILE), encodeManifest(manifest));
  await writeFile(path.join(dir, STAMP_FILE), JSON.stringify(stampOf(await stat(weightsPath))));
  return manifest;
}

function damaged(reason: string): Inspection {
  return { state: 'damaged', reason };
}

function stampOf(file: { size: number; mtimeMs: number }): { sizeBytes: number; mtimeMs: number } {
  return { sizeBytes: file.size, mtimeMs: file.mtimeMs };
}

/** The manifest travels as text with its own checksum: a changed offset would otherwise go unseen. */
const envelopeSchema = z.object({ sha256: z.string(), manifest: z.string() });

function encodeManifest(manifest: WeightsManifest): string {
  const text = JSON.stringify(manifest);
  return JSON.stringify({ sha256: sha256OfText(text), manifest: text });
}

/** Undefined when the text is not exactly what was written. */
function parseManifest(text: string): WeightsManifest | undefined {
  const envelope = envelopeSchema.safeParse(parseJson(text));
  if (!envelope.success || sha256OfText(envelope.data.manifest) !== envelope.data.sha256) return undefined;
  return weightsManifestSchema.safeParse(parseJson(envelope.data.manifest)).data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function sha256OfText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function readIfThere(file: string): Promise<string | undefined> {
  return undefinedIfMissing(readFile(file, 'utf8'));
}

async function statIfThere(file: string): Promise<{ size: number; mtimeMs: number } | undefined> {
  return undefinedIfMissing(stat(file));
}

async function undefinedIfMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (isNodeError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
