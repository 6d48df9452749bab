import type {
  AttachmentAccount,
  ContextAccount,
  ContextChoices,
  ContextFolderList,
  ErrorCode,
  ErrorData,
  FindParams,
  FindResult,
  OverlayParams,
  PromptPartText,
} from '../../protocol';
import { CancelledError, LongviewError, messageOf } from '../errors';
import type { TokenTableData } from '../tokenizer/token-table';
import type {
  BaseRequest,
  Cited,
  CountRequest,
  InspectRequest,
  PackedBase,
  PackedPrompt,
  PackRequest,
} from './context-service';
import type { PackedSync } from './packed-sync';

/** What the worker is started with. */
export interface WorkerData {
  /** Absolute; what is known of repositories is kept there. Absent: nowhere. */
  indexFolder?: string;
}

/** What the worker can be asked. Answers come back in any order, by `id`. */
export type Call =
  | { method: 'sync'; params: PackedSync }
  | { method: 'overlay'; params: OverlayParams }
  | { method: 'choose'; params: ContextChoices }
  | { method: 'pack'; params: PackRequest }
  | { method: 'inspect'; params: InspectRequest }
  | { method: 'asked'; params: null }
  | { method: 'folder'; params: { id: number; folder: string } }
  | { method: 'promptText'; params: { id: number } }
  | { method: 'packBase'; params: BaseRequest }
  | { method: 'countAttachments'; params: CountRequest }
  | { method: 'find'; params: FindParams }
  | { method: 'cite'; params: { packId: number; answer: string } }
  | { method: 'tokenTable'; params: { modelPath: string } };

export type ToWorker =
  | ({ kind: 'call'; id: number } & Call)
  | { kind: 'cancel'; id: number }
  | { kind: 'release'; packId: number };

export type CallResult =
  | PackedPrompt
  | PackedBase
  | ContextAccount
  | ContextFolderList
  | { parts: PromptPartText[] }
  | AttachmentAccount
  | FindResult
  | Cited
  | TokenTableData
  | null;

export type FromWorker =
  | { kind: 'result'; id: number; result: CallResult }
  | { kind: 'progress'; id: number; fraction: number }
  | { kind: 'error'; id: number; error: WireError };

/** An error as plain data: classes do not cross threads. */
export type WireError =
  | { kind: 'cancelled' }
  | { kind: 'named'; message: string; code: ErrorCode; action: string; details: ErrorData['details'] }
  | { kind: 'unexpected'; message: string; stack: string | undefined };

export function toWire(error: unknown): WireError {
  if (error instanceof CancelledError) return { kind: 'cancelled' };
  if (error instanceof LongviewError) {
    return {
      kind: 'named',
      message: error.message,
      code: error.code,
      action: error.action,
      details: error.details,
    };
  }
  return {
    kind: 'unexpected',
    message: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  };
}

export function fromWire(error: WireError): Error {
  if (error.kind === 'cancelled') return new CancelledError();
  if (error.kind === 'named') {
    return new LongviewError(error.code, error.message, error.action, error.details);
  }
  const cause = new Error(error.message);
  if (error.stack !== undefined) cause.stack = error.stack;
  return new LongviewError(
    'internal',
    `The repository could not be read: ${error.message}`,
    'Ask again; if it happens again, report it with the log.',
    undefined,
    { cause },
  );
}
