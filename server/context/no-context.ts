import { stat } from 'node:fs/promises';
import { countText, type ExcludedFile, type ExclusionReason, exclusionText } from '../../protocol';
import { LongviewError } from '../errors';
import type { RepositoryView } from './repository';

/** Why a question has nothing to be answered from. */
export function noWorkspace(): LongviewError {
  return new LongviewError(
    'noWorkspace',
    'No folder is open.',
    'Open the folder that the question is about.',
  );
}

/** @param roots absolute paths of the folders, in which no file is usable */
export async function emptyRepository(
  view: RepositoryView,
  roots: readonly string[],
): Promise<LongviewError> {
  const failure = (message: string, action: string): LongviewError =>
    new LongviewError('emptyRepository', message, action, { files: view.totalFiles });
  const all = roots.join(', ');
  if (view.totalFiles > 0)
    return failure(
      `${all} holds no file that can be read as text (${summary(view.unusable)}).`,
      'Open a folder with source files, or change what is ignored and excluded.',
    );
  if (!(await isOneThere(roots)))
    return failure(`${all} is not there any more.`, 'Open a folder that exists.');
  return failure(
    `${all} holds no files that ignore rules and settings leave in.`,
    'Open a folder with source files, or change what is ignored and excluded.',
  );
}

async function isOneThere(roots: readonly string[]): Promise<boolean> {
  const found = roots.map((root) =>
    stat(root).then(
      (stats) => stats.isDirectory(),
      () => false,
    ),
  );
  return (await Promise.all(found)).includes(true);
}

function summary(unusable: readonly ExcludedFile[]): string {
  const counts = new Map<ExclusionReason, number>();
  for (const { reason } of unusable) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${countText(count)} ${exclusionText(reason)}`).join(', ');
}
