import type { ManifestEntry, ManifestSyncParams, ManifestSyncResult, WorkspaceRoot } from '../../protocol';
import { type Place, PlaceMap } from './place-map';

/** All files of the manifest, in the order of the paths by which people and the model know them. */
export interface ManifestFiles {
  entries: readonly ManifestEntry[];
  /**
   * Of each entry, unique in the workspace: the path in its root, after the root's name where there are several roots.
   */
  displayPaths: readonly string[];
}

/** Pieces of this size are sent when the list moves to another thread. */
const SNAPSHOT_PIECE_ENTRIES = 5000;

/** The server's list of files, brought in step by `ManifestSync` messages. */
export class Manifest {
  private currentRoots: WorkspaceRoot[] = [];
  private entries = new PlaceMap<ManifestEntry>();
  private revision: number | undefined;
  private staged: { revision: number; entries: PlaceMap<ManifestEntry> } | undefined;
  private sorted: ManifestFiles | undefined;

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
    return this.entries.has(place);
  }

  /**
   * All files in the order of their display paths, by code unit, which is the same on every machine. The same object as
   * long as nothing changed.
   */
  files(): ManifestFiles {
    this.sorted ??= this.inOrder();
    return this.sorted;
  }

  get(place: Place): ManifestEntry | undefined {
    return this.entries.get(place);
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

  private inOrder(): ManifestFiles {
    const entries = [...this.entries.values()];
    if (this.currentRoots.length <= 1) {
      entries.sort((a, b) => (a.path < b.path ? -1 : 1));
      return { entries, displayPaths: entries.map(({ path }) => path) };
    }
    const named = entries
      .map((entry) => ({ entry, displayPath: this.displayPath(entry) }))
      .sort((a, b) => (a.displayPath < b.displayPath ? -1 : 1));
    return {
      entries: named.map(({ entry }) => entry),
      displayPaths: named.map(({ displayPath }) => displayPath),
    };
  }

  private applyFull(params: ManifestSyncParams): boolean {
    if (this.staged?.revision !== params.revision) {
      this.staged = { revision: params.revision, entries: new PlaceMap() };
    }
    for (const entry of params.upserts) this.staged.entries.set(entry, entry);
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
    for (const entry of params.upserts) this.entries.set(entry, entry);
    for (const gone of params.removals) this.entries.delete(gone);
    this.revision = params.revision;
    this.sorted = undefined;
    return true;
  }
}
