import type { ManifestEntry } from '../../protocol';
import type { WorkspaceProblem } from './problem';

/** Entries of one root, as they move between threads: a string and an array take a tenth of the time of objects. */
export interface ListedBatch {
  root: number;
  /** Joined by NUL, because it is the one character that no path holds. */
  paths: string;
  /** Size in bytes and time in ms of each file in turn. */
  stamps: Float64Array;
}

export type FromLister =
  | ({ kind: 'batch' } & ListedBatch)
  | { kind: 'problem'; problem: WorkspaceProblem }
  | { kind: 'end' }
  | { kind: 'failed'; message: string };

/** @param entries of one root */
export function batchOf(entries: readonly ManifestEntry[]): ListedBatch {
  const stamps = new Float64Array(entries.length * 2);
  entries.forEach(({ sizeBytes, mtimeMs }, at) => {
    stamps[2 * at] = sizeBytes;
    stamps[2 * at + 1] = mtimeMs;
  });
  return { root: entries[0]?.root ?? 0, paths: entries.map(({ path }) => path).join('\0'), stamps };
}

export function entriesOf({ root, paths, stamps }: ListedBatch): ManifestEntry[] {
  if (stamps.length === 0) return [];
  return paths.split('\0').map((path, at) => ({
    root,
    path,
    sizeBytes: stamps[2 * at] as number,
    mtimeMs: stamps[2 * at + 1] as number,
  }));
}
