import path from 'node:path';
import type { Device, DeviceChoice } from '../../protocol';
import type { DeviceBackend, LoadRequest } from '../backends/backend';
import { CancelledError, LongviewError, messageOf } from '../errors';
import { KvVault } from './kv-vault/kv-vault';
import type { HostReply, HostRequest } from './messages';

/** Shares of a chunk cross to the server at most this often: enough for a bar that moves. */
const SHARE_INTERVAL_MS = 100;

/** Chooses among the backends of this build. */
export interface BackendSelector {
  /** The device that a load with this choice runs on, as far as it can run. */
  deviceFor(choice: DeviceChoice): Device;
  /** The backend that can serve a load. @throws LongviewError when none can, with the reason. */
  select(request: LoadRequest): Promise<DeviceBackend>;
}

/** The engine host's half of the border: runs calls on a backend and sends back what came of them. */
export class BackendServer {
  private backend: DeviceBackend | undefined;
  private vault: KvVault | undefined;

  constructor(
    private readonly backends: BackendSelector,
    private readonly send: (reply: HostReply) => void,
    /** Milliseconds of a steady clock. */
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Runs one call. Never rejects: a failure is a reply too. */
  async receive(request: HostRequest): Promise<void> {
    const { id } = request;
    try {
      this.send({ kind: 'result', id, value: await this.run(request) });
    } catch (error) {
      if (error instanceof CancelledError) {
        this.send({ kind: 'cancelled', id });
        return;
      }
      const failure = error instanceof LongviewError ? error : unexpected(request, error);
      this.send({ kind: 'error', id, message: failure.message, data: failure.toData() });
    }
  }

  private async run(request: HostRequest): Promise<unknown> {
    if (request.method === 'deviceFor') return this.backends.deviceFor(request.argument);
    if (request.method === 'load') return this.load(request.id, request.argument);
    if (request.method === 'purgeKv') return this.purge(request.argument);
    const { backend, vault } = this;
    if (!backend || !vault) throw new Error('no model is loaded');
    switch (request.method) {
      case 'openSequence':
        return backend.openSequence(request.argument);
      case 'prefillChunk':
        return backend.prefillChunk(request.argument, this.shareTeller(request.id));
      case 'decodeStep':
        return backend.decodeStep(request.argument);
      case 'rewindSequence':
        return backend.rewindSequence(request.argument);
      case 'forkSequence':
        return backend.forkSequence(request.argument);
      case 'closeSequence':
        return backend.closeSequence(request.argument);
      case 'countStoredKv':
        return vault.countLeading(request.argument);
      case 'storedKvCost':
        return vault.computeMs(request.argument);
      case 'storeKv':
        return vault.store(backend, request.argument);
      case 'restoreKv':
        return vault.restore(backend, request.argument);
      case 'interrupt':
        return backend.interrupt?.();
    }
  }

  private shareTeller(id: number): (share: number) => void {
    let toldMs = this.now();
    return (share) => {
      if (this.now() - toldMs < SHARE_INTERVAL_MS) return;
      toldMs = this.now();
      this.send({ kind: 'progress', id, progress: share });
    };
  }

  /** Also what earlier processes left. */
  private purge(cacheDir: string): Promise<number> {
    const vault = this.vault ?? new KvVault(kvFolder(cacheDir), NOTHING_KEPT);
    return vault.purge();
  }

  private async load(id: number, request: LoadRequest): Promise<unknown> {
    const chosen = await this.backends.select(request);
    if (this.backend && this.backend !== chosen) await this.backend.dispose();
    this.backend = chosen;
    // Kept in memory, a block of the model before is of no use, and on disk it is found again.
    this.vault = new KvVault(kvFolder(request.cacheDir), request.kvStore ?? NOTHING_KEPT);
    return chosen.load(request, (progress) => this.send({ kind: 'progress', id, progress }));
  }
}

const NOTHING_KEPT = { memoryBytes: 0, diskBytes: 0 };

function kvFolder(cacheDir: string): string {
  return path.join(cacheDir, 'kv');
}

function unexpected({ method }: HostRequest, error: unknown): LongviewError {
  return new LongviewError(
    'engineFailed',
    `The engine failed in ${method}: ${messageOf(error)}`,
    'Ask again; if it fails again, report it with the output of "Longview: Diagnose".',
    undefined,
    { cause: error },
  );
}
