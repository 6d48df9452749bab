import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Attachment, ExcludedFile } from '../../protocol';
import { LongviewError } from '../errors';
import type { Selection } from '../prompt/layout';
import type { Repository, RepositoryView } from './repository';
import type { SecretGate } from './secrets/secret-gate';

export interface ResolvedAttachments {
  selections: Selection[];
  /** Display paths without repeats. */
  paths: string[];
}

/**
 * Checks what the user attached. A file need not be in the list (an ignored one may be attached by hand),
 * but it must lie inside of a workspace folder and hold text.
 * @throws LongviewError `badRequest` that names the attachment; `secretFound`
 */
export async function resolveAttachments(
  attachments: readonly Attachment[],
  repository: Repository,
  view: RepositoryView,
  gate: SecretGate,
): Promise<ResolvedAttachments> {
  const paths = new Set(attachments.flatMap((item) => (item.kind === 'file' ? [item.path] : [])));
  const usable = new Set(paths.size > 0 ? view.usable : []);
  for (const file of paths) {
    if (!usable.has(file)) await requireUsable(file, repository, view.unusable);
    const loaded = await repository.load(file);
    if (loaded.kind === 'text') await gate.requireClean(file, loaded.text);
  }
  const selections = attachments.filter((item) => item.kind === 'selection');
  for (const { path: file, startLine, endLine, text } of selections) {
    if (startLine < 1 || endLine < startLine)
      throw unusable(file, `lines ${startLine} to ${endLine} do not exist`);
    await gate.requireClean(file, text, startLine);
  }
  return { selections, paths: [...paths] };
}

async function requireUsable(
  file: string,
  repository: Repository,
  known: readonly ExcludedFile[],
): Promise<void> {
  const reason = known.find((entry) => entry.path === file)?.reason;
  if (reason) throw unusable(file, REASONS[reason]);
  const place = repository.locate(file);
  if (!place || !(await isInside(place.rootPath, place.absolutePath))) {
    throw unusable(file, 'it is not in the workspace');
  }
  const loaded = await repository.load(file);
  if (loaded.kind === 'excluded') throw unusable(file, loaded.detail ?? REASONS[loaded.reason]);
}

/** Also after symbolic links are followed: a link in the workspace does not open the rest of the disk. */
export async function isInside(root: string, file: string): Promise<boolean> {
  const real = await realpath(file).catch(() => undefined);
  const realRoot = await realpath(root).catch(() => undefined);
  if (real === undefined || realRoot === undefined) return false;
  return [path.relative(root, file), path.relative(realRoot, real)].every(
    (relative) => relative !== '' && relative.split(path.sep)[0] !== '..' && !path.isAbsolute(relative),
  );
}

const REASONS: Record<ExcludedFile['reason'], string> = {
  secret: 'it may hold a secret',
  excludedByHand: 'it is excluded by hand',
  noRoom: 'there is no room for it',
  binary: 'it is binary',
  lockFile: 'it is a lock file',
  generated: 'it is generated',
  minified: 'it is minified',
  tooLarge: 'it is larger than 1 MB',
  notUtf8: 'it is not UTF-8 text',
  unreadable: 'it cannot be read',
  empty: 'it is empty',
};

function unusable(file: string, reason: string): LongviewError {
  return new LongviewError(
    'badRequest',
    `The attached file ${file} cannot be used: ${reason}.`,
    'Remove the attachment, or attach a selection of its text.',
    { path: file },
  );
}
