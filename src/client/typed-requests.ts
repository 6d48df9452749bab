import { randomUUID } from 'node:crypto';
import { type CancellationToken, CancellationTokenSource, ProgressType } from 'vscode-jsonrpc';
import { type ErrorData, LONGVIEW_ERROR, type RequestSpec, type StreamParams } from '../../protocol';
import {
  type Disposable,
  RequestCancelledError,
  type RequestOptions,
  ServerError,
} from './server-connection';

/** JSON-RPC error number of the language server protocol for a request that was cancelled. */
const REQUEST_CANCELLED = -32800;
/** JSON-RPC error number for a request whose connection ended before its answer. */
const PENDING_RESPONSE_REJECTED = -32097;

/** What a typed request needs of a transport; `MessageConnection` and `LanguageClient` both have it. */
export interface RpcPeer {
  sendRequest(method: string, params: object, token: CancellationToken): Promise<unknown>;
  onProgress(
    type: ProgressType<unknown[]>,
    token: string | number,
    handler: (events: unknown[]) => void,
  ): Disposable;
}

/** Sends a request of the protocol, passes on its events, and names what goes wrong. */
export async function sendTyped<Params extends object, Result, Event>(
  peer: RpcPeer,
  spec: RequestSpec<Params, Result, Event>,
  params: Omit<Params, keyof StreamParams>,
  { onEvent, signal }: RequestOptions<Event>,
): Promise<Result> {
  if (signal?.aborted) throw new RequestCancelledError();
  const cancellation = new CancellationTokenSource();
  const onAbort = (): void => cancellation.cancel();
  signal?.addEventListener('abort', onAbort, { once: true });
  const token = onEvent && randomUUID();
  // Registered before the request is sent: the first event may arrive before `sendRequest` returns.
  const progress =
    token &&
    peer.onProgress(new ProgressType<unknown[]>(), token, (events) => {
      for (const event of events) onEvent(event as Event);
    });
  try {
    const streamed = token ? { ...params, partialResultToken: token } : params;
    return (await peer.sendRequest(spec.method, streamed, cancellation.token)) as Result;
  } catch (error) {
    throw namedError(error);
  } finally {
    progress?.dispose();
    signal?.removeEventListener('abort', onAbort);
    cancellation.dispose();
  }
}

/** Makes a failure of the wire into one of the two kinds that clients know. */
export function namedError(error: unknown): ServerError | RequestCancelledError {
  if (error instanceof ServerError || error instanceof RequestCancelledError) return error;
  const { code, message, data } = (error ?? {}) as { code?: unknown; message?: unknown; data?: unknown };
  if (code === REQUEST_CANCELLED) return new RequestCancelledError();
  const text = typeof message === 'string' ? message : String(error);
  if (code === LONGVIEW_ERROR && isErrorData(data)) return new ServerError(text, data);
  if (code === PENDING_RESPONSE_REJECTED)
    return new ServerError(
      'The Longview server ended before it had answered.',
      { code: 'internal', action: 'Try again: the server is started anew.' },
      { cause: error },
    );
  const action = 'Try again; if it fails again, open the log and report what it says.';
  return new ServerError(
    `The Longview server did not answer: ${text}`,
    { code: 'internal', action },
    { cause: error },
  );
}

function isErrorData(data: unknown): data is ErrorData {
  return typeof data === 'object' && data !== null && 'code' in data && 'action' in data;
}
