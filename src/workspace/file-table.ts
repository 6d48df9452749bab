import type { ManifestEntry } from '../../protocol';
import type { FileLocation } from './roots';

/** What a new look at the disk changed in the table. */
export interface TableChange {
  upserts: ManifestEntry[];
  removals: FileLocation[];
}

const FIRST_ROWS = 1024;
/** So few folders are compared with each path; with more, each folder of a path is looked up. */
const FEW_FOLDERS = 8;

/**
 * The client's own copy of the manifest: what the server has been told, or is about to be told. Numbers lie in columns
 * and paths are kept once, since the table of a large repository stays in the extension host for good.
 */
export class FileTable {
  private byRoot: (Map<string, number> | undefined)[] = [];
  private sizesBytes = new Float64Array(FIRST_ROWS);
  private mtimesMs = new Float64Array(FIRST_ROWS);
  /** The number of the comparison that saw the file last. */
  private seenBy = new Uint32Array(FIRST_ROWS);
  private comparisons = 0;
  private freeRows: number[] = [];
  private rows = 0;

  get size(): number {
    return this.rows - this.freeRows.length;
  }

  *all(): Generator<ManifestEntry> {
    for (const [root, files] of this.byRoot.entries()) {
      for (const [path, row] of files ?? []) yield this.entry({ root, path }, row);
    }
  }

  has(place: FileLocation): boolean {
    return this.rowOf(place) !== undefined;
  }

  clear(): void {
    this.byRoot = [];
    this.freeRows = [];
    this.rows = 0;
  }

  /** Adds or replaces an entry; false when it was there already with the same size and time. */
  put({ root, path, sizeBytes, mtimeMs }: ManifestEntry): boolean {
    this.byRoot[root] ??= new Map();
    const known = this.byRoot[root].get(path);
    if (known !== undefined && this.sizesBytes[known] === sizeBytes && this.mtimesMs[known] === mtimeMs) {
      return false;
    }
    const row = known ?? this.newRow();
    if (known === undefined) this.byRoot[root].set(path, row);
    this.sizesBytes[row] = sizeBytes;
    this.mtimesMs[row] = mtimeMs;
    this.seenBy[row] = this.comparisons;
    return true;
  }

  /** False when it was not there. */
  remove(place: FileLocation): boolean {
    const row = this.rowOf(place);
    if (row === undefined) return false;
    this.byRoot[place.root]?.delete(place.path);
    this.freeRows.push(row);
    return true;
  }

  /** Entries at one of `places` or below one of them, in one pass however many places there are. */
  within(places: readonly FileLocation[]): ManifestEntry[] {
    const files: ManifestEntry[] = [];
    const folders = new Map<number, string[]>();
    for (const place of places) {
      const row = this.rowOf(place);
      if (row !== undefined) {
        files.push(this.entry(place, row));
        continue;
      }
      // Extended in place: a file watcher may name fifty thousand at once.
      const ofRoot = folders.get(place.root) ?? [];
      ofRoot.push(`${place.path}/`);
      folders.set(place.root, ofRoot);
    }
    for (const [root, paths] of folders) {
      const isBelow = belowOneOf(paths);
      for (const [path, row] of this.byRoot[root] ?? []) {
        if (isBelow(path)) files.push(this.entry({ root, path }, row));
      }
    }
    return files;
  }

  /** Begins to compare with the places that are there now, a piece at a time. */
  compare(): { note: (present: readonly FileLocation[]) => FileLocation[]; missing: () => ManifestEntry[] } {
    const number = ++this.comparisons;
    return {
      /** Those of `present` that are not in the table. */
      note: (present) =>
        present.filter((place) => {
          const row = this.rowOf(place);
          if (row !== undefined) this.seenBy[row] = number;
          return row === undefined;
        }),
      /** Entries that no place noted is at. */
      missing: () => this.notSeenBy(number),
    };
  }

  private notSeenBy(comparison: number): ManifestEntry[] {
    const missing: ManifestEntry[] = [];
    for (const [root, files] of this.byRoot.entries()) {
      for (const [path, row] of files ?? []) {
        if ((this.seenBy[row] as number) < comparison) missing.push(this.entry({ root, path }, row));
      }
    }
    return missing;
  }

  private rowOf({ root, path }: FileLocation): number | undefined {
    return this.byRoot[root]?.get(path);
  }

  private entry({ root, path }: FileLocation, row: number): ManifestEntry {
    return { root, path, sizeBytes: this.sizesBytes[row] as number, mtimeMs: this.mtimesMs[row] as number };
  }

  private newRow(): number {
    const free = this.freeRows.pop();
    if (free !== undefined) return free;
    if (this.rows === this.sizesBytes.length) this.grow();
    return this.rows++;
  }

  private grow(): void {
    const { sizesBytes, mtimesMs, seenBy } = this;
    this.sizesBytes = new Float64Array(sizesBytes.length * 2);
    this.sizesBytes.set(sizesBytes);
    this.mtimesMs = new Float64Array(mtimesMs.length * 2);
    this.mtimesMs.set(mtimesMs);
    this.seenBy = new Uint32Array(seenBy.length * 2);
    this.seenBy.set(seenBy);
  }
}

/** @param folders with a slash at the end */
function belowOneOf(folders: readonly string[]): (path: string) => boolean {
  if (folders.length <= FEW_FOLDERS) return (path) => folders.some((folder) => path.startsWith(folder));
  const known = new Set(folders);
  return (path) => {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      if (known.has(path.slice(0, slash + 1))) return true;
    }
    return false;
  };
}
