import { type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Attachment } from '../../protocol';
import { UsageError } from './exit-codes';

/** A path of `--attach`. */
export interface AttachedPath {
  written: string;
  /** Taken from the current folder. */
  absolute: string;
}

/**
 * Attachments of files and folders: taken from the current folder, or else from the repository.
 * @throws UsageError that names the path
 */
export function attachmentsIn(repo: string, paths: readonly AttachedPath[]): Promise<Attachment[]> {
  return Promise.all(paths.map((each) => attachmentIn(repo, each)));
}

async function attachmentIn(repo: string, { written, absolute }: AttachedPath): Promise<Attachment> {
  for (const candidate of [absolute, path.resolve(repo, written)]) {
    const relative = path.relative(repo, candidate).split(path.sep).join('/');
    const isInside = relative !== '' && relative !== '..' && !relative.startsWith('../');
    const found = isInside ? await statOf(candidate) : undefined;
    if (found) return { kind: found.isDirectory() ? 'folder' : 'file', path: relative };
  }
  throw new UsageError(`--attach ${written}: there is no such file or folder in ${repo}.`);
}

function statOf(file: string): Promise<Stats | undefined> {
  return stat(file).catch(() => undefined);
}
