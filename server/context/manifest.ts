import type { ManifestEntry, ManifestSyncParams, ManifestSyncResult, WorkspaceRoot } from '../../protocol';

/** A file of the manifest under the path by which people and the model know it. */
export interface ManifestFile extends ManifestEntry {
  /** Unique in the workspace: the path in its root, after the root's name where there are several roots. */
  displayPath: string;
}

export interface Place {
  root: number;
  path: string;
}

/** NUL separates, because it is the one character that no path holds. */
export const placeKey = (place: Place): string => `${place.root}\0${place.path}`;

/** Pieces of this size are sent when the list moves to another thread. */
const SNAPSHOT_PIECE_ENTRIES = 5000;

/** The server's list of files, brought in step by `ManifestSync` messages. */
export class Manifest {
  private currentRoots: WorkspaceRoot[] = [];
  private entries = new Map<string, ManifestEntry>();
  private revision: number | undefined;
  private staged: { revision: number; entries: Map<string, ManifestEntry> } | undefined;
  private sorted: ManifestFile[] | undefined;

  get roots(): readonly WorkspaceRoot[] {
    return this.currentRoots;
  }

  get size(): number {
    return this.entries.size;
  }

  /**
   * Takes one message. A delta that does not follow the revision before it changes nothing and is answered
   * with `resync: true`.
   */
  apply(params: ManifestSyncParams): ManifestSyncResult {
    const inStep = params.mode === 'full' ? this.applyFull(params) : this.applyDelta(params);
    return { resync: !inStep, files: this.entries.size };
  }

  has(place: Place): boolean {
    return this.entries.has(placeKey(place));
  }

  /** All files in the order of their display paths, by code unit, which is the same on every machine. */
  files(): readonly ManifestFile[] {
    this.sorted ??= [...this.entries.values()]
      .map((entry) => ({ ...entry, displayPath: this.displayPath(entry) }))
      .sort((a, b) => (a.displayPath < b.displayPath ? -1 : 1));
    return this.sorted;
  }

  displayPath(place: Place): string {
    const root = this.currentRoots[place.root];
    return this.currentRoots.length > 1 && root ? `${root.name}/${place.path}` : place.path;
  }

  /** The place of a display path; it need not be listed. Undefined for a path of no root. */
  placeOf(displayPath: string): Place | undefined {
    if (this.currentRoots.length === 1) return { root: 0, path: displayPath };
    const root = this.currentRoots.findIndex(({ name }) => displayPath.startsWith(`${name}/`));
    const name = this.currentRoots[root]?.name;
    return name === undefined ? undefined : { root, path: displayPath.slice(name.length + 1) };
  }

  /** The messages that bring an empty manifest to this state; none before the first full list. */
  *snapshot(): Generator<ManifestSyncParams> {
    if (this.revision === undefined) return;
    const entries = [...this.entries.values()];
    for (let from = 0; from === 0 || from < entries.length; from += SNAPSHOT_PIECE_ENTRIES) {
      yield {
        mode: 'full',
        revision: this.revision,
        last: from + SNAPSHOT_PIECE_ENTRIES >= entries.length,
        roots: this.currentRoots,
        upserts: entries.slice(from, from + SNAPSHOT_PIECE_ENTRIES),
        removals: [],
      };
    }
  }

  private applyFull(params: ManifestSyncParams): boolean {
    if (this.staged?.revision !== params.revision) {
      this.staged = { revision: params.revision, entries: new Map() };
    }
    for (const entry of params.upserts) this.staged.entries.set(placeKey(entry), entry);
    if (!params.last) return true;
    this.currentRoots = params.roots;
    this.entries = this.staged.entries;
    this.revision = params.revision;
    this.staged = undefined;
    this.sorted = undefined;
    return true;
  }

  private applyDelta(params: ManifestSyncParams): boolean {
    if (this.revision === undefined || params.revision !== this.revision + 1) return false;
    for (const entry of params.upserts) this.entries.set(placeKey(entry), entry);
    for (const gone of params.removals) this.entries.delete(placeKey(gone));
    this.revision = params.revision;
    this.sorted = undefined;
    return true;
  }
}
