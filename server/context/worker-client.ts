import { Worker } from 'node:worker_threads';
import type {
  AttachmentAccount,
  ContextAccount,
  ContextChoices,
  ContextFolderList,
  FindParams,
  FindResult,
  ManifestSyncParams,
  ManifestSyncResult,
  OverlayParams,
  PromptPartText,
} from '../../protocol';
import { CancelledError, LongviewError, messageOf } from '../errors';
import type { TokenTableData } from '../tokenizer/token-table';
import type {
  BaseRequest,
  Cited,
  ContextService,
  CountRequest,
  InspectRequest,
  PackedBase,
  PackedPrompt,
  PackRequest,
} from './context-service';
import { Manifest } from './manifest';
import { packedSync } from './packed-sync';
import { placeKey } from './place-map';
import {
  type Call,
  type CallResult,
  type FromWorker,
  fromWire,
  type ToWorker,
  type WorkerData,
} from './worker-protocol';

export interface ContextServiceOptions {
  /** Absolute path of the bundled `context-worker.js`. */
  workerPath: string;
  /** Absolute path of the folder where what is known of repositories is kept. */
  indexFolder?: string;
  /** Starts the thread at once instead of with the first message: it is ready when the first files are told. */
  startsAtOnce?: boolean;
}

/**
 * The context service in a worker thread of its own. The thread starts with the first message; when it
 * dies, the calls that ran in it fail, and the next call starts another one, which is told the file list
 * and the unsaved text again. The caller need not resync.
 */
export function createContextService(options: ContextServiceOptions): ContextService {
  return new WorkerContextService(options);
}

/** Room for what lives briefly: with more, the thread takes tens of megabytes more and is hardly faster. */
const MOST_YOUNG_MB = 24;

interface PendingCall {
  resolve: (result: CallResult) => void;
  reject: (error: Error) => void;
  onProgress: (fraction: number) => void;
}

class WorkerContextService implements ContextService {
  private worker: Worker | undefined;
  private readonly pending = new Map<number, PendingCall>();
  private lastId = 0;
  private disposed = false;
  /** What a new thread has to be told. */
  private readonly manifest = new Manifest();
  private readonly overlays = new Map<string, OverlayParams>();
  private choices: ContextChoices | undefined;
  /** The full list that is coming in, and the thread that has its pieces so far. */
  private listing: { revision: number; worker: Worker } | undefined;

  constructor(private readonly options: ContextServiceOptions) {
    if (options.startsAtOnce) this.running();
  }

  async sync(params: ManifestSyncParams): Promise<ManifestSyncResult> {
    const worker = this.running();
    const before = rootsOf(this.manifest);
    const result = this.manifest.apply(params);
    if (before !== rootsOf(this.manifest)) this.overlays.clear();
    if (result.resync) return result;
    if (params.mode === 'delta' || this.hasAllPieces(worker, params)) await this.passSync(worker, params);
    else if (params.last) for (const piece of this.manifest.snapshot()) await this.passSync(worker, piece);
    return result;
  }

  /** False for a thread that was started halfway through the list: it has missed the first pieces. */
  private hasAllPieces(worker: Worker, { revision }: ManifestSyncParams): boolean {
    if (this.listing?.revision !== revision) this.listing = { revision, worker };
    return this.listing.worker === worker;
  }

  private async passSync(worker: Worker, params: ManifestSyncParams): Promise<void> {
    await this.call(worker, { method: 'sync', params: packedSync(params) });
  }

  async overlay(params: OverlayParams): Promise<void> {
    const worker = this.running();
    if (params.text === null) this.overlays.delete(placeKey(params));
    else this.overlays.set(placeKey(params), params);
    await this.call(worker, { method: 'overlay', params });
  }

  async choose(choices: ContextChoices): Promise<void> {
    const worker = this.running();
    this.choices = choices;
    await this.call(worker, { method: 'choose', params: choices });
  }

  async pack(
    request: PackRequest,
    onProgress: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<PackedPrompt> {
    const result = await this.call(this.running(), { method: 'pack', params: request }, onProgress, signal);
    if (result === null || !('tokenizeMs' in result))
      throw new Error('the context worker returned no prompt');
    return result;
  }

  async packBase(request: BaseRequest, signal: AbortSignal): Promise<PackedBase> {
    const call = { method: 'packBase', params: request } as const;
    const result = await this.call(this.running(), call, undefined, signal);
    if (result === null || !('tokenIds' in result)) throw new Error('the context worker returned no base');
    return result;
  }

  async inspect(request: InspectRequest, signal: AbortSignal): Promise<ContextAccount> {
    const result = await this.call(this.running(), { method: 'inspect', params: request }, undefined, signal);
    if (result === null || !('heldBack' in result)) throw new Error('the context worker returned no account');
    return result;
  }

  async asked(): Promise<ContextAccount | null> {
    const result = await this.call(this.running(), { method: 'asked', params: null });
    if (result !== null && !('heldBack' in result)) throw new Error('the context worker returned no account');
    return result;
  }

  async folder(id: number, folder: string): Promise<ContextFolderList> {
    const result = await this.call(this.running(), { method: 'folder', params: { id, folder } });
    if (result === null || !('more' in result)) throw new Error('the context worker returned no folder');
    return result;
  }

  async promptText(id: number): Promise<PromptPartText[]> {
    const result = await this.call(this.running(), { method: 'promptText', params: { id } });
    if (result === null || !('parts' in result) || 'heldBack' in result)
      throw new Error('the context worker returned no text');
    return result.parts;
  }

  async countAttachments(request: CountRequest, signal: AbortSignal): Promise<AttachmentAccount> {
    const call = { method: 'countAttachments', params: request } as const;
    const result = await this.call(this.running(), call, undefined, signal);
    if (result === null || !('counts' in result)) throw new Error('the context worker counted nothing');
    return result;
  }

  async find(params: FindParams, signal: AbortSignal): Promise<FindResult> {
    const result = await this.call(this.running(), { method: 'find', params }, undefined, signal);
    if (result === null || !('items' in result)) throw new Error('the context worker found nothing');
    return result;
  }

  async cite(packId: number, answer: string): Promise<Cited> {
    const result = await this.call(this.running(), { method: 'cite', params: { packId, answer } });
    if (result === null || !('citations' in result))
      throw new Error('the context worker returned no citations');
    return result;
  }

  async tokenTable(modelPath: string): Promise<TokenTableData> {
    const result = await this.call(this.running(), { method: 'tokenTable', params: { modelPath } });
    if (result === null || !('offsets' in result)) throw new Error('the context worker returned no tokens');
    return result;
  }

  release(packId: number): void {
    if (this.worker) post(this.worker, { kind: 'release', packId });
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    const worker = this.worker;
    this.worker = undefined;
    this.failAll(new CancelledError());
    await worker?.terminate();
  }

  private call(
    worker: Worker,
    call: Call,
    onProgress: (fraction: number) => void = () => undefined,
    signal?: AbortSignal,
  ): Promise<CallResult> {
    if (signal?.aborted) return Promise.reject(new CancelledError());
    const id = ++this.lastId;
    const cancel = () => post(worker, { kind: 'cancel', id });
    const answered = new Promise<CallResult>((resolve, reject) => {
      this.pending.set(id, { resolve, reject, onProgress });
      post(worker, { kind: 'call', id, ...call });
      signal?.addEventListener('abort', cancel, { once: true });
    });
    return answered.finally(() => {
      this.pending.delete(id);
      signal?.removeEventListener('abort', cancel);
    });
  }

  /** The thread; a new one that knows what the last one knew, if there is none. */
  private running(): Worker {
    if (this.disposed) throw new CancelledError();
    if (this.worker) return this.worker;
    const { workerPath, indexFolder } = this.options;
    const workerData: WorkerData = indexFolder === undefined ? {} : { indexFolder };
    const worker = new Worker(workerPath, {
      name: 'longview-context',
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: MOST_YOUNG_MB },
    });
    this.worker = worker;
    worker.on('message', (message: FromWorker) => this.receive(message));
    worker.on('error', (error) => this.lose(worker, messageOf(error)));
    worker.on('exit', (code) => this.lose(worker, `exit code ${code}`));
    for (const params of this.manifest.snapshot())
      this.tell(worker, { method: 'sync', params: packedSync(params) });
    for (const params of this.overlays.values()) this.tell(worker, { method: 'overlay', params });
    if (this.choices) this.tell(worker, { method: 'choose', params: this.choices });
    return worker;
  }

  /** Sends what needs no answer: if the thread dies of it, the next call finds out. */
  private tell(worker: Worker, call: Call): void {
    post(worker, { kind: 'call', id: ++this.lastId, ...call });
  }

  private receive(message: FromWorker): void {
    const call = this.pending.get(message.id);
    if (!call) return;
    if (message.kind === 'progress') call.onProgress(message.fraction);
    else if (message.kind === 'result') call.resolve(message.result);
    else call.reject(fromWire(message.error));
  }

  private lose(worker: Worker, reason: string): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    this.failAll(
      new LongviewError(
        'internal',
        `The thread that reads the repository stopped (${reason}).`,
        'Ask again; it starts anew.',
      ),
    );
  }

  private failAll(error: Error): void {
    for (const call of [...this.pending.values()]) call.reject(error);
    this.pending.clear();
  }
}

function post(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}

function rootsOf(manifest: Manifest): string {
  return manifest.roots.map((root) => root.path).join('\0');
}
