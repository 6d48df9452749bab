import type { ErrorCode, ErrorData } from '../protocol';

/**
 * A failure with a name and a next step. Thrown anywhere in the server, translated once, in `connection.ts`.
 * `action` is one sentence in the imperative that tells the user what helps.
 */
export class LongviewError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly action: string,
    readonly details?: ErrorData['details'],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'LongviewError';
  }

  toData(): ErrorData {
    return { code: this.code, action: this.action, ...(this.details && { details: this.details }) };
  }
}

/** The user stopped it: an answer, not a failure. */
export class CancelledError extends Error {
  constructor() {
    super('cancelled');
    this.name = 'CancelledError';
  }
}

/** @throws CancelledError when `signal` is aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError();
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
