import { lstatSync, type Stats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import ignore from 'ignore';
import type { ManifestEntry, WorkspaceRoot } from '../../protocol';
import { listFiles } from './list-files';
import { LongviewIgnore } from './longview-ignore';
import { messageOf, type ReportProblem } from './problem';
import { ripgrepPath } from './ripgrep';
import { type FileLocation, nestedRoots } from './roots';

/** What belongs to the workspace: its folders, and what the user's settings leave out of them. */
export interface WorkspaceScope {
  roots: readonly WorkspaceRoot[];
  /** Globs in the syntax of `.gitignore`, relative to each root. */
  exclude: readonly string[];
}

/** How many files are stated at a time: enough to keep the disk busy, few enough to let others in. */
const STAT_BATCH = 128;

/** Lists the files of a workspace with size and time, in batches as they are found. */
export type ListWorkspace = (
  scope: WorkspaceScope,
  report: ReportProblem,
  signal: AbortSignal,
) => AsyncIterable<ManifestEntry[]>;

/** Manifest entries of those places that are regular files now. */
export type StatPlaces = (
  roots: readonly WorkspaceRoot[],
  places: readonly FileLocation[],
  report: ReportProblem,
) => Promise<ManifestEntry[]> | ManifestEntry[];

/**
 * All files of the workspace with size and time, in batches as they are found. Nothing is read.
 * A root that is gone or a path that cannot be read is reported and left out.
 * @throws Error when ripgrep is not installed; `signal.reason` when aborted
 */
export async function* listWorkspace(
  scope: WorkspaceScope,
  report: ReportProblem,
  signal: AbortSignal,
  look: StatPlaces = statPlaces,
): AsyncGenerator<ManifestEntry[]> {
  for await (const places of listPlaces(scope, report, signal)) {
    for (let from = 0; from < places.length; from += STAT_BATCH) {
      signal.throwIfAborted();
      yield await look(scope.roots, places.slice(from, from + STAT_BATCH), report);
    }
  }
}

/** The places of all files of the workspace, without size and time; otherwise as `listWorkspace`. */
export async function* listPlaces(
  scope: WorkspaceScope,
  report: ReportProblem,
  signal: AbortSignal,
): AsyncGenerator<FileLocation[]> {
  if (scope.roots.length === 0) return;
  const binary = await ripgrepPath();
  const isExcluded = excludedBy(scope.exclude);
  for (const [index, root] of scope.roots.entries()) {
    if (!(await isFolder(root.path, report))) continue;
    const inner = nestedRoots(scope.roots, index).map((dir) => `${dir}/`);
    const found: string[][] = [];
    for await (const paths of listFiles(binary, root.path, report, signal)) {
      found.push(paths.filter((file) => !inner.some((dir) => file.startsWith(dir)) && !isExcluded(file)));
    }
    // Any of them may come last, and what it leaves out first.
    const ignored = await LongviewIgnore.read(root.path, found.flat(), report);
    for (const paths of found) {
      yield paths.filter((file) => !ignored.ignores(file)).map((file) => ({ root: index, path: file }));
    }
  }
}

/** Names the folders that the roots are now: another one in the place of a root gives another mark. */
export async function markOf(roots: readonly WorkspaceRoot[]): Promise<string> {
  const marks = roots.map(({ path: root }) =>
    stat(root).then(
      ({ dev, ino }) => `${dev}:${ino}`,
      () => 'none',
    ),
  );
  return (await Promise.all(marks)).join();
}

/** Asking a matcher without globs takes as long as asking one with some. */
function excludedBy(globs: readonly string[]): (file: string) => boolean {
  if (globs.length === 0) return () => false;
  const matcher = ignore({ allowRelativePaths: true }).add([...globs]);
  return (file) => matcher.ignores(file);
}

/** Manifest entries of those places that are regular files now; the others are gone, links or unreadable. */
export async function statPlaces(
  roots: readonly WorkspaceRoot[],
  places: readonly FileLocation[],
  report: ReportProblem,
): Promise<ManifestEntry[]> {
  const entries = await Promise.all(places.map((place) => statPlace(roots, place, report)));
  return entries.filter((entry) => entry !== undefined);
}

async function statPlace(
  roots: readonly WorkspaceRoot[],
  place: FileLocation,
  report: ReportProblem,
): Promise<ManifestEntry | undefined> {
  const root = roots[place.root]?.path;
  if (root === undefined) return undefined;
  try {
    return entryOf(place, await lstat(path.join(root, place.path)));
  } catch (error) {
    // A file that vanished between listing and now is no problem: it is simply not there.
    if (!isGone(error)) report({ root, message: `${place.path}: ${messageOf(error)}` });
    return undefined;
  }
}

/**
 * As `statPlaces`, one after the other: for a thread that has nothing else to do, a third of the time that it takes to
 * wait for each.
 */
export function statPlacesInTurn(
  roots: readonly WorkspaceRoot[],
  places: readonly FileLocation[],
  report: ReportProblem,
): ManifestEntry[] {
  const entries: ManifestEntry[] = [];
  for (const place of places) {
    const root = roots[place.root]?.path;
    if (root === undefined) continue;
    try {
      const entry = entryOf(place, lstatSync(`${root}/${place.path}`));
      if (entry) entries.push(entry);
    } catch (error) {
      if (!isGone(error)) report({ root, message: `${place.path}: ${messageOf(error)}` });
    }
  }
  return entries;
}

function entryOf({ root, path: file }: FileLocation, stats: Stats): ManifestEntry | undefined {
  return stats.isFile() ? { root, path: file, sizeBytes: stats.size, mtimeMs: stats.mtimeMs } : undefined;
}

async function isFolder(root: string, report: ReportProblem): Promise<boolean> {
  try {
    if ((await stat(root)).isDirectory()) return true;
    report({ root, message: `${root} is not a folder` });
  } catch (error) {
    report({ root, message: `${root} cannot be opened: ${messageOf(error)}` });
  }
  return false;
}

function isGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
