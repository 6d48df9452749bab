import path from 'node:path';
import type {
  ExcludedFile,
  ManifestEntry,
  ManifestSyncParams,
  ManifestSyncResult,
  OverlayParams,
} from '../../protocol';
import type { Candidate } from '../prompt/fill';
import { classifyUnread } from './classify';
import { Breather, forEachBounded } from './cooperation';
import type { FileSource } from './file-source';
import { codeOfReason, reasonOfCode, TEXT, UNKNOWN } from './file-state';
import { type FileRequest, FileStore, type LoadedFile } from './file-store';
import { KnownBefore } from './known-before';
import { Manifest, type ManifestFiles } from './manifest';
import { type Place } from './place-map';
import type { Query } from './ranking/question-terms';
import { RankingIndex } from './ranking/ranking-index';
import type { LastCommits } from './recency/last-commits';
import { Recency } from './recency/recency';
import type { ScanFiles, ScanInput } from './scan/scan-files';

/** The files of the workspace as far as they are known, all under their display paths in path order. */
export interface RepositoryView {
  totalFiles: number;
  /** Files that hold text. */
  usable: string[];
  unusable: ExcludedFile[];
}

export interface RepositoryOptions {
  /** Bytes of text kept in memory. */
  textCacheBytes: number;
  /** Where what is known of files is kept from one start to the next; not at all without one. */
  indexFolder?: string | undefined;
  /** Reads many files at once, off this thread; without it, and for few files, they are read here. */
  scan?: ScanFiles | undefined;
  /** Tells what was committed lately; without it, files' own times do. */
  lastCommits?: LastCommits | undefined;
}

const READS_AT_A_TIME = 16;
/** With fewer files to read, starting threads takes longer than reading them. */
const WORTH_SCANNING = 256;
/** So many files that changed at once are more than somebody edits: there may be other commits. */
const BRANCH_SWITCH = 16;
/** Looking whether so many files changed takes a few milliseconds. */
const FILES_BETWEEN_BREATHS = 4096;
/** The chance to be what answers falls with the rank, about like this: fitted to the tuning set of bench/recall. */
const RANK_OFFSET = 1.5;

/** The workspace's files: the list, their content, and the index that ranks them. */
export class Repository {
  private readonly manifest = new Manifest();
  private readonly store: FileStore;
  private readonly index: RankingIndex;
  private readonly before: KnownBefore;
  private readonly scan: ScanFiles | undefined;
  private readonly recency: Recency;
  /** The list of files that nothing is known beyond. */
  private prunedFor: ManifestFiles | undefined;

  constructor(source: FileSource, { textCacheBytes, indexFolder, scan, lastCommits }: RepositoryOptions) {
    this.store = new FileStore(source, { textCacheBytes });
    this.index = new RankingIndex(indexFolder);
    this.before = new KnownBefore(this.manifest, this.store, this.index, indexFolder);
    this.scan = scan;
    this.recency = new Recency(lastCommits);
  }

  get hasRoots(): boolean {
    return this.manifest.roots.length > 0;
  }

  get rootPaths(): string[] {
    return this.manifest.roots.map((root) => root.path);
  }

  apply(params: ManifestSyncParams): ManifestSyncResult {
    const before = this.rootPaths.join('\0');
    if (params.mode === 'full') this.expect(params);
    const result = this.manifest.apply(params);
    // Files and unsaved text are known by the number of their root, which means another folder now.
    if (before !== this.rootPaths.join('\0')) {
      this.store.clear();
      this.index.clear();
    }
    return result;
  }

  overlay({ root, path: file, text }: OverlayParams): void {
    this.store.setOverlay({ root, path: file }, text);
  }

  /**
   * Reads and indexes what is new or changed since the last time. Costs hardly anything for files that are as they were.
   * @throws CancelledError
   */
  async refresh(onProgress: (fraction: number) => void, signal: AbortSignal): Promise<RepositoryView> {
    await this.before.recall();
    const files = this.manifest.files();
    const states = new Uint8Array(files.entries.length);
    const toRead = await this.settle(files, states, new Breather(signal));
    const changed = toRead.filter((at) => this.store.peek(files.entries[at] as ManifestEntry) === undefined);
    if (changed.length >= BRANCH_SWITCH) this.recency.renew(this.manifest.roots);
    await this.bringUpToDate(files, states, toRead, { onProgress, signal });
    await this.recency.settle(this.manifest.roots);
    const view = viewOf(files, states);
    this.prune(files, view);
    this.before.noteChanges(changed.length, files.entries.length);
    onProgress(1);
    return view;
  }

  /** Listed files whose name and size do not rule out that they hold text, in path order. */
  readablePaths(): string[] {
    const { entries, displayPaths } = this.manifest.files();
    return displayPaths.filter((_, at) => {
      const entry = entries[at];
      return entry && classifyUnread(entry.path, entry.sizeBytes) === undefined;
    });
  }

  /** Indexed files that define a name of this hash, in no order. */
  definersOf(nameHash: number): string[] {
    return this.index.definersOf(nameHash);
  }

  /** The content now of the file with this display path, listed or not; the caller has checked the path. */
  async load(displayPath: string): Promise<LoadedFile> {
    const place = this.manifest.placeOf(displayPath);
    if (!place) return { kind: 'excluded', reason: 'unreadable', detail: 'it belongs to no folder' };
    return this.store.load(this.requestFor({ ...place, sizeBytes: -1, mtimeMs: 0 }));
  }

  /** Files that hold text by how likely they answer the question, likeliest first. */
  rank(query: Query): Candidate[] {
    const ranked = this.index.rank(query, this.recency.weights(this.manifest));
    return ranked.map((file, at) => ({ path: file, likelihood: 1 / (at + RANK_OFFSET) }));
  }

  /** `paths`, in their order, by how much they tell about the repository, whatever is asked. */
  rankBase(paths: readonly string[]): Candidate[] {
    return this.index.rankBase(paths);
  }

  /** Where a display path lies; undefined outside of all roots. */
  locate(
    displayPath: string,
  ): (Place & { absolutePath: string; rootPath: string; listed: boolean }) | undefined {
    const place = this.manifest.placeOf(displayPath);
    const rootPath = place && this.manifest.roots[place.root]?.path;
    if (!place || rootPath === undefined) return undefined;
    const absolutePath = path.resolve(rootPath, place.path);
    return { ...place, absolutePath, rootPath, listed: this.manifest.has(place) };
  }

  /** Begins what can be done while these folders are still being listed. */
  private expect({ roots, revision }: ManifestSyncParams): void {
    this.before.expect(roots);
    this.recency.expect(roots, revision);
  }

  /** Fills in the states of files that are as they were, and returns the numbers of those that have to be read. */
  private async settle(files: ManifestFiles, states: Uint8Array, breather: Breather): Promise<number[]> {
    const toRead: number[] = [];
    for (const [at, file] of files.entries.entries()) {
      if (at % FILES_BETWEEN_BREATHS === 0) await breather.breathe();
      const state = this.settledState(file, files.displayPaths[at] as string);
      states[at] = state;
      if (state === UNKNOWN) toRead.push(at);
    }
    return toRead;
  }

  /** As `file-state.ts` numbers them; `UNKNOWN` when the file has to be read. */
  private settledState(file: ManifestEntry, displayPath: string): number {
    const { records } = this.store;
    const row = this.store.peek(file);
    if (row !== undefined) {
      const state = records.codeOf(row);
      if (state === TEXT && this.index.has(displayPath, records.revisionOf(row))) return TEXT;
      // What could not be read is tried again each time.
      if (state !== TEXT && state !== codeOfReason('unreadable')) return state;
    }
    const reason = this.store.hasOverlay(file) ? undefined : classifyUnread(file.path, file.sizeBytes);
    return reason ? codeOfReason(reason) : UNKNOWN;
  }

  private async bringUpToDate(
    files: ManifestFiles,
    states: Uint8Array,
    toRead: readonly number[],
    { onProgress, signal }: { onProgress: (fraction: number) => void; signal: AbortSignal },
  ): Promise<void> {
    const onDisk = toRead.filter((at) => !this.store.hasOverlay(files.entries[at] as ManifestEntry));
    const isWorthScanning = this.scan !== undefined && onDisk.length >= WORTH_SCANNING;
    if (isWorthScanning) await this.scanAll(files, states, onDisk, { onProgress, signal });
    const breather = new Breather(signal);
    const left = toRead.filter((at) => states[at] === UNKNOWN);
    let done = toRead.length - left.length;
    await forEachBounded(left, READS_AT_A_TIME, async (at) => {
      await breather.breathe();
      states[at] = await this.readNow(files.entries[at] as ManifestEntry, files.displayPaths[at] as string);
      if (++done % 64 === 0) onProgress(done / toRead.length);
    });
  }

  /** Has files read by other threads. What they could not do stays unknown. */
  private async scanAll(
    { entries, displayPaths }: ManifestFiles,
    states: Uint8Array,
    toRead: readonly number[],
    { onProgress, signal }: { onProgress: (fraction: number) => void; signal: AbortSignal },
  ): Promise<void> {
    let done = 0;
    const input: ScanInput = {
      count: toRead.length,
      request: (index) => {
        const at = toRead[index] as number;
        return {
          ...this.requestFor(entries[at] as ManifestEntry),
          displayPath: displayPaths[at] as string,
        };
      },
      mostTerms: this.index.mostTerms(entries.length),
      onFile: (index, { state, stamp, text }) => {
        const at = toRead[index] as number;
        const place = entries[at] as ManifestEntry;
        states[at] = state;
        if (text) {
          const revision = this.store.noteText(place, stamp, text.hash);
          this.index.putTerms(displayPaths[at] as string, revision, text.terms);
        } else this.store.noteExcluded(place, stamp, reasonOfCode(state) ?? 'unreadable');
        if (++done % 64 === 0) onProgress(done / toRead.length);
      },
    };
    await this.scan?.(input, signal);
  }

  private async readNow(file: ManifestEntry, displayPath: string): Promise<number> {
    const loaded = await this.store.load(this.requestFor(file));
    if (loaded.kind === 'excluded') return codeOfReason(loaded.reason);
    if (!this.index.has(displayPath, loaded.revision)) {
      this.index.put(displayPath, loaded.revision, loaded.text, this.index.mostTerms(this.manifest.size));
    }
    return TEXT;
  }

  /** Forgets files that are gone or hold no text any more. */
  private prune(files: ManifestFiles, view: RepositoryView): void {
    if (this.prunedFor !== files) this.store.retain((place) => this.manifest.has(place));
    this.prunedFor = files;
    // Every usable file is in the index: with as many there, no other is.
    if (this.index.size > view.usable.length) this.index.prune(new Set(view.usable));
  }

  private requestFor(file: Place & { sizeBytes: number; mtimeMs: number }): FileRequest {
    const root = this.manifest.roots[file.root]?.path ?? '';
    return {
      root: file.root,
      path: file.path,
      sizeBytes: file.sizeBytes,
      mtimeMs: file.mtimeMs,
      absolutePath: path.join(root, file.path),
    };
  }
}

function viewOf({ entries, displayPaths }: ManifestFiles, states: Uint8Array): RepositoryView {
  const view: RepositoryView = { totalFiles: entries.length, usable: [], unusable: [] };
  for (const [at, displayPath] of displayPaths.entries()) {
    const reason = reasonOfCode(states[at] as number);
    if (reason) view.unusable.push({ path: displayPath, reason });
    else view.usable.push(displayPath);
  }
  return view;
}
