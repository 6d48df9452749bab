import type { ManifestEntry } from '../../protocol';
import type { FileLocation } from './roots';

/** What a new look at the disk changed in the table. */
export interface TableChange {
  upserts: ManifestEntry[];
  removals: FileLocation[];
}

/** NUL separates, because it is the one character that no path holds. */
const keyOf = (place: FileLocation) => `${place.root}\0${place.path}`;

/** The client's own copy of the manifest: what the server has been told, or is about to be told. */
export class FileTable {
  private readonly entries = new Map<string, ManifestEntry>();

  get size(): number {
    return this.entries.size;
  }

  all(): IterableIterator<ManifestEntry> {
    return this.entries.values();
  }

  has(place: FileLocation): boolean {
    return this.entries.has(keyOf(place));
  }

  clear(): void {
    this.entries.clear();
  }

  /** Adds or replaces an entry; false when it was there already with the same size and time. */
  put(entry: ManifestEntry): boolean {
    const key = keyOf(entry);
    const old = this.entries.get(key);
    if (old?.sizeBytes === entry.sizeBytes && old.mtimeMs === entry.mtimeMs) return false;
    this.entries.set(key, entry);
    return true;
  }

  /** False when it was not there. */
  remove(place: FileLocation): boolean {
    return this.entries.delete(keyOf(place));
  }

  /** Entries at one of `places` or below one of them, in one pass however many places there are. */
  within(places: readonly FileLocation[]): ManifestEntry[] {
    const files: ManifestEntry[] = [];
    const folders = new Set<string>();
    for (const place of places) {
      const entry = this.entries.get(keyOf(place));
      if (entry) files.push(entry);
      else folders.add(keyOf(place));
    }
    if (folders.size === 0) return files;
    for (const entry of this.entries.values()) {
      if (isBelow(entry, folders)) files.push(entry);
    }
    return files;
  }

  /** Entries whose place is not among `present`. */
  missingFrom(present: readonly FileLocation[]): ManifestEntry[] {
    const keys = new Set(present.map(keyOf));
    return [...this.entries].filter(([key]) => !keys.has(key)).map(([, entry]) => entry);
  }
}

function isBelow(entry: FileLocation, folders: ReadonlySet<string>): boolean {
  for (let slash = entry.path.indexOf('/'); slash >= 0; slash = entry.path.indexOf('/', slash + 1)) {
    if (folders.has(keyOf({ root: entry.root, path: entry.path.slice(0, slash) }))) return true;
  }
  return false;
}
