import type { BackendKind } from './metrics';
import { notification, request } from './spec';
import type { WarmStatus } from './warm';

export type EngineState = 'idle' | 'starting' | 'loading' | 'ready' | 'busy' | 'restarting' | 'failed';

/** What the engine is doing now: the base of the status bar. */
export interface EngineStatus {
  state: EngineState;
  model?: string;
  backend?: BackendKind;
  device?: string;
  /** Questions waiting behind the one being answered. */
  queued: number;
  /** Absent while nothing is computed ahead of questions. */
  warm?: WarmStatus;
  /** Why it failed or restarts, in words, with what to do. */
  message?: string;
}

export const DidChangeEngineStatus = notification<EngineStatus>('longview/engine/didChangeStatus');

export const GetEngineStatus = request<Record<string, never>, EngineStatus>('longview/engine/status');

/** A report for bug reports: versions, devices, models, limits; no source text. */
export const Diagnose = request<Record<string, never>, { report: string }>('longview/diagnose');
