import type { ExcludedFile } from '../../protocol';
import { isInside } from './attachments';
import type { Choices } from './choices';
import type { Repository, RepositoryView } from './repository';

/** The files of the workspace after what the user decided about them. */
export interface ChosenFiles {
  /** In path order. */
  usable: string[];
  /** Of these, in path order. */
  pinned: string[];
  unusable: ExcludedFile[];
}

/**
 * Takes out what is excluded by hand, and adds what is pinned although ignore rules leave it out: who names a file
 * means it. Such a file must lie in a workspace folder.
 */
export async function choose(
  choices: Choices,
  repository: Repository,
  view: RepositoryView,
): Promise<ChosenFiles> {
  if (choices.isSilent) return { usable: view.usable, pinned: [], unusable: view.unusable };
  const chosen: ChosenFiles = { usable: [], pinned: [], unusable: [...view.unusable] };
  const pin = (path: string): void => {
    chosen.usable.push(path);
    chosen.pinned.push(path);
  };
  for (const path of view.usable) {
    const choice = choices.of(path);
    if (choice === 'pinned') pin(path);
    else if (choice === 'excluded') chosen.unusable.push({ path, reason: 'excludedByHand' });
    else chosen.usable.push(path);
  }
  const listed = new Set([...view.usable, ...view.unusable.map(({ path }) => path)]);
  const unlisted = choices.pinnedFiles.filter((path) => !listed.has(path));
  for (const path of unlisted) {
    const reason = await whyUnusable(path, repository);
    if (reason === undefined) pin(path);
    else chosen.unusable.push({ path, reason });
  }
  if (unlisted.length > 0) {
    chosen.usable.sort(byCodeUnit);
    chosen.pinned.sort(byCodeUnit);
  }
  return chosen;
}

async function whyUnusable(
  path: string,
  repository: Repository,
): Promise<ExcludedFile['reason'] | undefined> {
  const place = repository.locate(path);
  if (!place || !(await isInside(place.rootPath, place.absolutePath))) return 'unreadable';
  const loaded = await repository.load(path);
  return loaded.kind === 'excluded' ? loaded.reason : undefined;
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : 1);
