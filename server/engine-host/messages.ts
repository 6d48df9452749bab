import type { Device, DeviceChoice, ErrorData } from '../../protocol';
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
} from '../backends/backend';

/** The calls of the engine host and its `Backend` as they cross the process border; arguments and results are structured clones. */
export interface HostCalls {
  deviceFor: { argument: DeviceChoice; result: Device };
  load: { argument: LoadRequest; result: LoadedModel };
  openSequence: { argument: OpenSequenceRequest; result: SequenceId };
  prefillChunk: { argument: PrefillChunkRequest; result: StepResult };
  decodeStep: { argument: DecodeStepRequest; result: StepResult };
  rewindSequence: { argument: RewindRequest; result: undefined };
  forkSequence: { argument: RewindRequest; result: SequenceId };
  closeSequence: { argument: SequenceId; result: undefined };
  countStoredKv: { argument: string[]; result: number };
  storedKvCost: { argument: string; result: number | undefined };
  storeKv: { argument: StoreKvRequest; result: StoredKv };
  restoreKv: { argument: RestoreKvRequest; result: RestoredKv };
  purgeKv: { argument: string; result: number };
  interrupt: { argument: undefined; result: undefined };
}

export type HostMethod = keyof HostCalls;

/** What calls that take a while tell before their result: a load how far it is, a chunk the share that is done. */
interface HostProgress {
  load: LoadProgress;
  prefillChunk: number;
}

export type ProgressOf<Method extends HostMethod> = Method extends keyof HostProgress
  ? HostProgress[Method]
  : never;

/** Server to engine host. */
export type HostRequest = {
  [Method in HostMethod]: { id: number; method: Method; argument: HostCalls[Method]['argument'] };
}[HostMethod];

/** Engine host to server. */
export type HostReply =
  | { kind: 'ready' }
  | { kind: 'progress'; id: number; progress: HostProgress[keyof HostProgress] }
  | { kind: 'result'; id: number; value: unknown }
  | { kind: 'cancelled'; id: number }
  | { kind: 'error'; id: number; message: string; data: ErrorData };
