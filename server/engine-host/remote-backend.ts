import type { Device, DeviceChoice } from '../../protocol';
import type {
  DecodeStepRequest,
  LoadedModel,
  LoadProgress,
  LoadRequest,
  OpenSequenceRequest,
  PrefillChunkRequest,
  RestoredKv,
  RestoreKvRequest,
  RewindRequest,
  SequenceId,
  StepResult,
  StoredKv,
  StoreKvRequest,
  StoringBackend,
} from '../backends/backend';
import type { HostProcess } from './host-process';

/** A backend in an engine host process. When the process ends, every call rejects with the reason. */
export class RemoteBackend implements StoringBackend {
  constructor(private readonly host: HostProcess) {}

  /** Of the process, while it has one. */
  get pid(): number | undefined {
    return this.host.pid;
  }

  deviceFor(choice: DeviceChoice): Promise<Device> {
    return this.host.call('deviceFor', choice);
  }

  load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    return this.host.call('load', request, onProgress);
  }

  openSequence(request: OpenSequenceRequest): Promise<SequenceId> {
    return this.host.call('openSequence', request);
  }

  prefillChunk(request: PrefillChunkRequest, onShare?: (share: number) => void): Promise<StepResult> {
    return this.host.call('prefillChunk', request, onShare);
  }

  decodeStep(request: DecodeStepRequest): Promise<StepResult> {
    return this.host.call('decodeStep', request);
  }

  rewindSequence(request: RewindRequest): Promise<void> {
    return this.host.call('rewindSequence', request);
  }

  forkSequence(request: RewindRequest): Promise<SequenceId> {
    return this.host.call('forkSequence', request);
  }

  countStoredKv(blocks: string[]): Promise<number> {
    return this.host.call('countStoredKv', blocks);
  }

  storedKvCost(block: string): Promise<number | undefined> {
    return this.host.call('storedKvCost', block);
  }

  storeKv(request: StoreKvRequest): Promise<StoredKv> {
    return this.host.call('storeKv', request);
  }

  restoreKv(request: RestoreKvRequest): Promise<RestoredKv> {
    return this.host.call('restoreKv', request);
  }

  purgeKv(cacheDir: string): Promise<number> {
    return this.host.call('purgeKv', cacheDir);
  }

  interrupt(): Promise<void> {
    return this.host.call('interrupt', undefined);
  }

  closeSequence(sequence: SequenceId): Promise<void> {
    return this.host.call('closeSequence', sequence);
  }

  dispose(): Promise<void> {
    return this.host.dispose();
  }
}
