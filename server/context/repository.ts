import path from 'node:path';
import type { ExcludedFile, ManifestSyncParams, ManifestSyncResult, OverlayParams } from '../../protocol';
import { classifyUnread } from './classify';
import { Breather, forEachBounded } from './cooperation';
import type { FileSource } from './file-source';
import { type FileRequest, type FileState, FileStore, type LoadedFile } from './file-store';
import { Manifest, type ManifestFile, type Place, placeKey } from './manifest';
import { RankingIndex } from './ranking/ranking-index';

/** The files of the workspace as far as they are known, all under their display paths in path order. */
export interface RepositoryView {
  totalFiles: number;
  /** Files that hold text. */
  usable: string[];
  unusable: ExcludedFile[];
}

const READS_AT_A_TIME = 16;

/** The workspace's files: the list, their content, and the index that ranks them. */
export class Repository {
  private readonly manifest = new Manifest();
  private readonly store: FileStore;
  private readonly index = new RankingIndex();

  constructor(source: FileSource, textCacheBytes: number) {
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
    if (before !== this.rootPaths.join('\0')) this.store.clearOverlays();
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
    const breather = new Breather(signal);
    const view: RepositoryView = { totalFiles: files.length, usable: [], unusable: [] };
    const states = new Map<ManifestFile, FileState>();
    let done = 0;
    await forEachBounded(files, READS_AT_A_TIME, async (file) => {
      await breather.breathe();
      states.set(file, await this.bringUpToDate(file));
      if (++done % 64 === 0) onProgress(done / files.length);
    });
    for (const file of files) {
      const state = states.get(file);
      if (state?.kind === 'text') view.usable.push(file.displayPath);
      else if (state) view.unusable.push({ path: file.displayPath, reason: state.reason });
    }
    this.store.retain(new Set(files.map(placeKey)));
    await this.index.prune(new Set(view.usable));
    onProgress(1);
    return view;
  }

  /** The content now of the file with this display path, listed or not; the caller has checked the path. */
  async load(displayPath: string): Promise<LoadedFile> {
    const place = this.manifest.placeOf(displayPath);
    if (!place) return { kind: 'excluded', reason: 'unreadable', detail: 'it belongs to no folder' };
    return this.store.load(this.requestFor({ ...place, sizeBytes: -1, mtimeMs: 0 }));
  }

  rank(question: string, earlierQuestions: readonly string[]): string[] {
    return this.index.rank(question, earlierQuestions);
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

  private async bringUpToDate(file: ManifestFile): Promise<FileState> {
    const request = this.requestFor(file);
    const known = this.store.peek(request);
    if (known && this.isSettled(file, known)) return known;
    const reason = this.store.hasOverlay(file) ? undefined : classifyUnread(file.path, file.sizeBytes);
    if (reason) return { kind: 'excluded', reason };
    const loaded = await this.store.load(request);
    if (loaded.kind === 'text' && !this.index.has(file.displayPath, loaded.hash)) {
      this.index.put(file.displayPath, loaded.hash, loaded.text);
    }
    return loaded;
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
