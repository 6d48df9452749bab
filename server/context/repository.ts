import path from 'node:path';
import type { ExcludedFile, ManifestSyncParams, ManifestSyncResult, OverlayParams } from '../../protocol';
import type { Candidate } from '../prompt/fill';
import { classifyUnread } from './classify';
import { Breather, forEachBounded } from './cooperation';
import type { FileSource } from './file-source';
import { type FileRequest, type FileState, FileStore, type LoadedFile } from './file-store';
import { type IndexEntry, IndexFile } from './index/index-file';
import { SavedIndex } from './index/saved-index';
import { Manifest, type ManifestFile, type Place, placeKey } from './manifest';
import type { Query } from './ranking/question-terms';
import { RankingIndex } from './ranking/ranking-index';

/** The files of the workspace as far as they are known, all under their display paths in path order. */
export interface RepositoryView {
  totalFiles: number;
  /** Files that hold text. */
  usable: string[];
  unusable: ExcludedFile[];
}

const READS_AT_A_TIME = 16;
/** The chance to be what answers falls with the rank, about like this: fitted to the tuning set of bench/recall. */
const RANK_OFFSET = 1.5;

/** The workspace's files: the list, their content, and the index that ranks them. */
export class Repository {
  private readonly manifest = new Manifest();
  private readonly store: FileStore;
  private readonly index = new RankingIndex();

  private saved: SavedIndex | undefined;

  /** @param indexFolder where what is known of files is kept from one start to the next; not at all without one */
  constructor(
    source: FileSource,
    textCacheBytes: number,
    private readonly indexFolder?: string,
  ) {
    this.store = new FileStore(source, { textCacheBytes });
  }

  get hasRoots(): boolean {
    return this.manifest.roots.length > 0;
  }

  get rootPaths(): string[] {
    return this.manifest.roots.map((root) => root.path);
  }

  apply(params: ManifestSyncParams): ManifestSyncResult {
    const before = this.rootPaths.join('\0');
    const result = this.manifest.apply(params);
    // Unsaved text is known by the number of its root, which means another folder now.
    if (before !== this.rootPaths.join('\0')) {
      this.store.clearOverlays();
      this.saved?.dispose();
      this.saved = undefined;
    }
    return result;
  }

  overlay({ root, path: file, text }: OverlayParams): void {
    this.store.setOverlay({ root, path: file }, text);
  }

  /**
   * Reads and indexes what is new or changed since the last time. Costs nothing for files that are as they were.
   * @throws CancelledError
   */
  async refresh(onProgress: (fraction: number) => void, signal: AbortSignal): Promise<RepositoryView> {
    const files = this.manifest.files();
    await this.recall(files);
    const breather = new Breather(signal);
    const view: RepositoryView = { totalFiles: files.length, usable: [], unusable: [] };
    const states = new Map<ManifestFile, FileState>();
    const mostTerms = this.index.mostTerms(files.length);
    let done = 0;
    let changed = 0;
    await forEachBounded(files, READS_AT_A_TIME, async (file) => {
      await breather.breathe();
      const isKnown = this.store.peek(this.requestFor(file)) !== undefined;
      states.set(file, await this.bringUpToDate(file, mostTerms));
      if (!isKnown) changed++;
      if (++done % 64 === 0) onProgress(done / files.length);
    });
    for (const file of files) {
      const state = states.get(file);
      if (state?.kind === 'text') view.usable.push(file.displayPath);
      else if (state) view.unusable.push({ path: file.displayPath, reason: state.reason });
    }
    this.store.retain(new Set(files.map(placeKey)));
    this.index.prune(new Set(view.usable));
    this.saved?.noteChanges(changed, files.length);
    onProgress(1);
    return view;
  }

  /** The content now of the file with this display path, listed or not; the caller has checked the path. */
  async load(displayPath: string): Promise<LoadedFile> {
    const place = this.manifest.placeOf(displayPath);
    if (!place) return { kind: 'excluded', reason: 'unreadable', detail: 'it belongs to no folder' };
    return this.store.load(this.requestFor({ ...place, sizeBytes: -1, mtimeMs: 0 }));
  }

  /** Files that hold text by how likely they answer the question, likeliest first. */
  rank(query: Query): Candidate[] {
    return this.index.rank(query).map((file, at) => ({ path: file, likelihood: 1 / (at + RANK_OFFSET) }));
  }

  /** `paths` by how much they tell about the repository, whatever is asked. */
  rankBase(paths: readonly string[]): Candidate[] {
    const importance = this.index.rankedImportance();
    return paths
      .map((file) => ({ path: file, likelihood: importance.get(file) ?? 0 }))
      .sort((a, b) => b.likelihood - a.likelihood || (a.path < b.path ? -1 : 1));
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

  /** What an earlier start knew of these folders, once. */
  private async recall(files: readonly ManifestFile[]): Promise<void> {
    if (this.saved || this.indexFolder === undefined) return;
    const saved = new SavedIndex(new IndexFile(this.indexFolder, this.rootPaths), () => this.indexEntries());
    this.saved = saved;
    const byKey = new Map(files.map((file) => [placeKey(file), file]));
    const importance = new Map<string, number>();
    for (const entry of await saved.load()) {
      const file = byKey.get(entry.key);
      if (!file) continue;
      const { key, stamp, state, editedAtMs } = entry;
      this.store.recall(key, stamp, stateOf(entry), editedAtMs);
      if (state.kind === 'text') this.index.restore(file.displayPath, state.hash, state.terms);
      if (entry.importance !== undefined) importance.set(file.displayPath, entry.importance);
    }
    if (importance.size > 0) this.index.restoreImportance(importance);
  }

  private indexEntries(): IndexEntry[] {
    const displayPaths = new Map(this.manifest.files().map((file) => [placeKey(file), file.displayPath]));
    const importance = this.index.rankedImportance();
    const entries: IndexEntry[] = [];
    for (const { state, ...known } of this.store.remembered()) {
      const displayPath = displayPaths.get(known.key);
      if (displayPath === undefined) continue;
      const share = importance.get(displayPath);
      const more = share === undefined ? {} : { importance: share };
      if (state.kind === 'excluded') entries.push({ ...known, state });
      else {
        const terms = this.index.termsOf(displayPath);
        if (terms) entries.push({ ...known, ...more, state: { ...state, terms } });
      }
    }
    return entries;
  }

  private async bringUpToDate(file: ManifestFile, mostTerms: number): Promise<FileState> {
    const request = this.requestFor(file);
    const known = this.store.peek(request);
    if (known && this.isSettled(file, known)) return known;
    const reason = this.store.hasOverlay(file) ? undefined : classifyUnread(file.path, file.sizeBytes);
    if (reason) return { kind: 'excluded', reason };
    const loaded = await this.store.load(request);
    if (loaded.kind === 'text' && !this.index.has(file.displayPath, loaded.hash)) {
      this.index.put(file.displayPath, loaded.hash, loaded.text, mostTerms);
    }
    // Without the text: states of all files are held at once.
    return loaded.kind === 'text' ? { kind: 'text', hash: loaded.hash } : loaded;
  }

  /** What could not be read is tried again each time. */
  private isSettled(file: ManifestFile, state: FileState): boolean {
    if (state.kind === 'excluded') return state.reason !== 'unreadable';
    return this.index.has(file.displayPath, state.hash);
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

function stateOf({ state }: IndexEntry): FileState {
  return state.kind === 'text' ? { kind: 'text', hash: state.hash } : state;
}
