/**
 * Keeps the server's manifest in step with the files on disk and the text in unsaved editors.
 *
 * One-shot, for a program without an editor:
 *
 *   const files = await syncOnce(
 *     { roots: nameRoots([{ path: dir }]), exclude: [] },
 *     { send: (params) => client.request(ManifestSync, params), report, signal },
 *   );
 *
 * Long-lived, for an editor (`vscode-workspace.ts` does this):
 *
 *   const sync = new WorkspaceSync({ send, sendOverlay, report });
 *   sync.setScope(scope);            at the start, and whenever folders or exclude settings change
 *   sync.noteChange(kind, path);     for each event of a file watcher
 *   sync.setOverlay(path, read);     unsaved text; null once saved or closed
 *   await sync.flush();              before a question: everything noted so far has reached the server
 *   await sync.resend();             after the server was restarted
 *   sync.dispose();
 */
import type { ManifestEntry, OverlayParams } from '../../protocol';
import { FileTable, type TableChange } from './file-table';
import {
  type ListWorkspace,
  listPlaces,
  listWorkspace,
  markOf,
  statPlaces,
  type WorkspaceScope,
} from './list-workspace';
import { ManifestSender, PIECE_ENTRIES, type SendManifest } from './manifest-sender';
import { OverlayOutbox, type ReadText } from './overlay-outbox';
import { type ChangeKind, PendingChanges } from './pending-changes';
import { messageOf, type ReportProblem } from './problem';
import { type FileLocation, locate } from './roots';

/** Lists the workspace and sends the whole manifest once. Returns the number of files. */
export async function syncOnce(
  scope: WorkspaceScope,
  options: { send: SendManifest; report: ReportProblem; signal: AbortSignal },
): Promise<number> {
  const entries = listWorkspace(scope, options.report, options.signal);
  return new ManifestSender(options.send).full(scope.roots, entries);
}

export interface WorkspaceSyncOptions {
  send: SendManifest;
  sendOverlay: (params: OverlayParams) => Promise<void>;
  report: ReportProblem;
  /** Lists all files; in this thread unless another way is given. */
  list?: ListWorkspace;
  /** How long events may gather before they are sent. */
  settleMs?: number;
}

const SETTLE_MS = 250;

/** Listing again takes at most this share of the time, so that a storm of events cannot keep a core busy. */
const RELIST_SHARE = 0.1;

/** Listing counts as cheap below this; one file created in a small repository is known at once. */
const CHEAP_LISTING_MS = 100;

export class WorkspaceSync {
  private readonly table = new FileTable();
  private readonly sender: ManifestSender;
  private readonly overlays: OverlayOutbox;
  private readonly settleMs: number;
  private scope: WorkspaceScope | undefined;
  private pending = new PendingChanges();
  private timer: NodeJS.Timeout | undefined;
  /** All work is done one after the other; this is its end. Never rejects. */
  private tail: Promise<void> = Promise.resolve();
  private listing = new AbortController();
  /** False until a full list has arrived, and after a message that did not. */
  private inStep = false;
  /** In ms of the steady clock: the time of day may be set back. */
  private nextListingAt = 0;
  /** Which folders the roots were when they were listed last. */
  private listedRoots = '';
  private disposed = false;

  constructor(private readonly options: WorkspaceSyncOptions) {
    this.settleMs = options.settleMs ?? SETTLE_MS;
    this.sender = new ManifestSender(options.send);
    this.overlays = new OverlayOutbox(options.sendOverlay);
  }

  /** Files that the manifest holds now. */
  get files(): number {
    return this.table.size;
  }

  /** Sets the folders and the exclude globs, and lists everything anew at once. */
  setScope(scope: WorkspaceScope): void {
    this.scope = scope;
    this.listing.abort();
    this.pending.noteScope();
    this.start();
  }

  /** Takes one event of a file watcher; `absolutePath` may be a file or a folder. */
  noteChange(kind: ChangeKind, absolutePath: string): void {
    const place = this.placeOf(absolutePath);
    if (place && this.pending.note(kind, place, this.table)) this.schedule();
  }

  /**
   * Notes that an editor has unsaved changes, with a way to read its text when it is sent; `null` once it
   * is saved or closed.
   */
  setOverlay(absolutePath: string, read: ReadText | null): void {
    if (this.overlays.set(absolutePath, read)) this.schedule();
  }

  /** Resolves when everything noted so far has been sent. Failures are reported, not thrown. */
  async flush(): Promise<void> {
    this.start();
    await this.tail;
  }

  /** Sends the full list and all unsaved text again, to a server that has lost them. */
  async resend(): Promise<void> {
    this.inStep = false;
    this.overlays.sendAllAgain();
    await this.flush();
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
    this.listing.abort();
  }

  private placeOf(absolutePath: string): FileLocation | undefined {
    return this.scope && locate(this.scope.roots, absolutePath);
  }

  private schedule(): void {
    if (this.timer || this.disposed) return;
    const wait = this.pending.needsListing ? this.nextListingAt - performance.now() : 0;
    this.timer = setTimeout(() => this.start(), Math.max(this.settleMs, wait));
  }

  private start(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.disposed) return;
    this.tail = this.tail.then(() => this.step());
  }

  private async step(): Promise<void> {
    const scope = this.scope;
    if (!scope || this.disposed) return;
    const pending = this.pending;
    this.pending = new PendingChanges();
    this.listing = new AbortController();
    try {
      // Nobody tells of a root itself that is deleted, or made again: its watcher ends with it.
      if ((await markOf(scope.roots)) !== this.listedRoots) pending.noteScope();
      if (pending.scopeChanged) await this.listAnew(scope, this.listing.signal);
      else await this.sendChanges(scope, pending, this.listing.signal);
      await this.overlays.send((absolutePath) => locate(scope.roots, absolutePath));
    } catch (error) {
      this.afterFailure(error, pending);
    }
  }

  private async listAnew(scope: WorkspaceScope, signal: AbortSignal): Promise<void> {
    this.inStep = false;
    this.table.clear();
    this.listedRoots = await markOf(scope.roots);
    const startedAt = performance.now();
    const { report, list = listWorkspace } = this.options;
    await this.sender.full(scope.roots, this.recorded(list(scope, report, signal)));
    this.noteListing(startedAt);
    // The server drops unsaved text together with the roots that it belonged to.
    this.overlays.sendAllAgain();
    this.inStep = true;
  }

  private async *recorded(batches: AsyncIterable<ManifestEntry[]>): AsyncGenerator<ManifestEntry[]> {
    for await (const batch of batches) {
      for (const entry of batch) this.table.put(entry);
      yield batch;
    }
  }

  private async sendChanges(
    scope: WorkspaceScope,
    pending: PendingChanges,
    signal: AbortSignal,
  ): Promise<void> {
    const change = pending.needsListing
      ? await this.compareWithDisk(scope, pending, signal)
      : await this.lookAt(scope, this.table.within(pending.touched()));
    if (this.inStep && (await this.sender.delta(change))) return;
    this.inStep = false;
    await this.sender.full(scope.roots, inBatches(this.table.all()));
    this.inStep = true;
  }

  /** Lists names only, and looks at new and touched files; the others are as they were. */
  private async compareWithDisk(
    scope: WorkspaceScope,
    pending: PendingChanges,
    signal: AbortSignal,
  ): Promise<TableChange> {
    const startedAt = performance.now();
    const comparison = this.table.compare();
    const unknown: FileLocation[] = [];
    for await (const places of listPlaces(scope, this.options.report, signal)) {
      unknown.push(...comparison.note(places));
    }
    this.noteListing(startedAt);
    const gone = comparison.missing();
    for (const entry of gone) this.table.remove(entry);
    const look = await this.lookAt(scope, [...unknown, ...this.table.within(pending.touched())]);
    return { upserts: look.upserts, removals: [...gone, ...look.removals] };
  }

  /** Brings the table in step with the disk at `places`. */
  private async lookAt(scope: WorkspaceScope, places: readonly FileLocation[]): Promise<TableChange> {
    const change: TableChange = { upserts: [], removals: [] };
    const batchSize = 128;
    for (let from = 0; from < places.length; from += batchSize) {
      const batch = places.slice(from, from + batchSize);
      const entries = await statPlaces(scope.roots, batch, this.options.report);
      const found = new Set(entries.map((entry) => `${entry.root}\0${entry.path}`));
      change.upserts.push(...entries.filter((entry) => this.table.put(entry)));
      const gone = batch.filter((place) => !found.has(`${place.root}\0${place.path}`));
      change.removals.push(...gone.filter((place) => this.table.remove(place)));
    }
    return change;
  }

  private noteListing(startedAt: number): void {
    const tookMs = performance.now() - startedAt;
    this.nextListingAt = tookMs < CHEAP_LISTING_MS ? 0 : performance.now() + tookMs / RELIST_SHARE;
  }

  /** What was pending is kept, and the next attempt sends the full list: nothing is known to have arrived. */
  private afterFailure(error: unknown, pending: PendingChanges): void {
    this.inStep = false;
    this.pending.keep(pending);
    if (this.disposed || this.listing.signal.aborted) return;
    this.options.report({ root: '', message: `The file list could not be sent: ${messageOf(error)}` });
  }
}

function* inBatches(entries: Iterable<ManifestEntry>): Generator<ManifestEntry[]> {
  let batch: ManifestEntry[] = [];
  for (const entry of entries) {
    batch.push(entry);
    if (batch.length < PIECE_ENTRIES) continue;
    yield batch;
    batch = [];
  }
  yield batch;
}
