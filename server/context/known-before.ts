import type { WorkspaceRoot } from '../../protocol';
import { codeOfReason, reasonOfCode, TEXT } from './file-state';
import type { FileStore } from './file-store';
import { IndexFile } from './index/index-file';
import { HASH_BYTES, type IndexTable } from './index/index-table';
import { SavedIndex } from './index/saved-index';
import type { Manifest } from './manifest';
import type { Place } from './place-map';
import type { RankingIndex } from './ranking/ranking-index';

interface Expected {
  roots: string;
  saved: SavedIndex;
  /** Until it is taken over. */
  table: Promise<IndexTable | undefined> | undefined;
  recalled: Promise<void> | undefined;
}

/** Carries what is known of a workspace's files from one start to the next. */
export class KnownBefore {
  private expected: Expected | undefined;

  /** @param folder where it is kept; not at all without one */
  constructor(
    private readonly manifest: Manifest,
    private readonly store: FileStore,
    private readonly index: RankingIndex,
    private readonly folder: string | undefined,
  ) {}

  /** Starts to load what is known of these folders, while their files are still being listed. */
  expect(roots: readonly WorkspaceRoot[]): void {
    if (this.folder === undefined || this.expected?.roots === keyOf(roots)) return;
    this.expected?.saved.dispose();
    const file = new IndexFile(
      this.folder,
      roots.map((root) => root.path),
    );
    const table = file.load();
    // Who asks for it hears of a failure, which may be much later.
    table.catch(() => undefined);
    const saved = new SavedIndex(file, () => this.table());
    this.expected = { roots: keyOf(roots), saved, table, recalled: undefined };
  }

  /**
   * Takes over what was loaded, once, for the files that are listed now.
   * @throws Error when it is there and may not be read
   */
  async recall(): Promise<void> {
    const { expected } = this;
    if (!expected || expected.roots !== keyOf(this.manifest.roots)) return;
    expected.recalled ??= this.takeOverLoaded(expected);
    await expected.recalled;
  }

  private async takeOverLoaded(expected: Expected): Promise<void> {
    const { table } = expected;
    expected.table = undefined;
    const loaded = await table;
    // Other folders may have been opened meanwhile.
    if (this.expected === expected) this.takeOver(loaded);
    else loaded?.terms.release();
  }

  /** Takes note that so many of `files` were read anew. */
  noteChanges(changed: number, files: number): void {
    this.expected?.saved.noteChanges(changed, files);
  }

  private takeOver(table: IndexTable | undefined): void {
    if (!table) return;
    this.index.restoreTerms(table.terms);
    const { entries, displayPaths } = this.manifest.files();
    let at = 0;
    // Both are in the order of their display paths.
    for (const [row, path] of table.paths.entries()) {
      const displayPath = this.manifest.displayPath({ root: table.roots[row] as number, path });
      while (at < entries.length && (displayPaths[at] as string) < displayPath) at++;
      const entry = displayPaths[at] === displayPath ? entries[at] : undefined;
      if (entry && this.store.records.rowOf(entry) === undefined) this.takeOverFile(table, row, entry);
      else table.terms.free(table.references[row] as number);
    }
  }

  private takeOverFile(table: IndexTable, row: number, place: Place): void {
    const stamp = {
      sizeBytes: table.sizesBytes[row] as number,
      mtimeMs: table.mtimesMs[row] as number,
    };
    const state = table.states[row] as number;
    if (state !== TEXT) {
      this.store.noteExcluded(place, stamp, reasonOfCode(state) ?? 'unreadable');
      return;
    }
    const hash = table.hashes.subarray(row * HASH_BYTES, (row + 1) * HASH_BYTES);
    const revision = this.store.noteText(place, stamp, hash, table.editedAtMs[row]);
    this.index.restore(
      this.manifest.displayPath(place),
      revision,
      table.references[row] as number,
      table.importance[row] as number,
    );
  }

  /** What there is to save now: of files as they are on disk, since unsaved text is nobody else's. */
  private table(): IndexTable {
    const { records } = this.store;
    const files: { place: Place; row: number; displayPath: string }[] = [];
    const { entries, displayPaths } = this.manifest.files();
    // In the order of their paths: so the next start finds them sorted.
    for (const [at, place] of entries.entries()) {
      const row = records.rowOf(place);
      const displayPath = displayPaths[at] as string;
      if (row !== undefined && this.isWorthKeeping(row, displayPath)) files.push({ place, row, displayPath });
    }
    const hashes = new Uint8Array(files.length * HASH_BYTES);
    files.forEach(({ row }, at) => {
      if (records.holdsText(row)) records.copyHash(row, hashes, at * HASH_BYTES);
    });
    const column = (value: (row: number) => number): Float64Array =>
      Float64Array.from(files, ({ row }) => value(row));
    return {
      roots: Int32Array.from(files, ({ place }) => place.root),
      paths: files.map(({ place }) => place.path),
      sizesBytes: column((row) => records.stampOf(row)?.sizeBytes ?? 0),
      mtimesMs: column((row) => records.stampOf(row)?.mtimeMs ?? 0),
      editedAtMs: column((row) => records.editedAt(row)),
      states: Uint8Array.from(files, ({ row }) => records.codeOf(row)),
      hashes,
      ...this.index.savedColumns(files.map(({ displayPath }) => displayPath)),
    };
  }

  private isWorthKeeping(row: number, displayPath: string): boolean {
    const { records } = this.store;
    if (!records.isKnown(row) || records.stampOf(row) === undefined) return false;
    if (records.holdsText(row)) return this.index.has(displayPath, records.revisionOf(row));
    // What could not be read is tried again each time.
    return records.codeOf(row) !== codeOfReason('unreadable');
  }
}

const keyOf = (roots: readonly { path: string }[]): string => roots.map((root) => root.path).join('\0');
