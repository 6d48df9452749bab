import {
  type CancellationToken,
  type Connection,
  LSPErrorCodes,
  NotificationType,
  ProgressType,
  RequestType,
  ResponseError,
} from 'vscode-languageserver/node';
import type { z } from 'zod';
import {
  type ErrorData,
  LONGVIEW_ERROR,
  type NotificationSpec,
  type RequestSpec,
  type StreamParams,
} from '../protocol';
import { CancelledError, LongviewError, messageOf } from './errors';

/** What a handler gets beside its parameters. */
export interface RequestContext<Event> {
  /** Aborted by `$/cancelRequest`. */
  signal: AbortSignal;
  /** Sends events under the request's `partialResultToken`; goes nowhere when the client gave none. */
  emit: (events: Event[]) => void;
}

/** Takes the failures that no answer can carry. */
export type LogError = (message: string) => void;

/** A row of the table: a method of the protocol, what its parameters must be, and who answers. */
export interface Route {
  register(connection: Connection, logError: LogError): void;
}

export function answers<Params, Result, Event>(
  spec: RequestSpec<Params, Result, Event>,
  schema: z.ZodType<Params>,
  handle: (params: Params, context: RequestContext<Event>) => Promise<Result>,
): Route {
  const type = new RequestType<unknown, unknown, ErrorData>(spec.method);
  return {
    register: (connection, logError) => {
      const answer = async (params: unknown, token: CancellationToken): Promise<Result> => {
        const send = progressSender(connection, params, logError);
        const checked = validate(spec.method, schema, params);
        return handle(checked, { signal: signalOf(token), emit: send });
      };
      connection.onRequest(type, (params, token) =>
        answer(params, token).catch((error: unknown) => {
          throw toResponseError(error, logError);
        }),
      );
    },
  };
}

export function listens<Params>(
  spec: NotificationSpec<Params>,
  schema: z.ZodType<Params>,
  handle: (params: Params) => Promise<void> | void,
): Route {
  const type = new NotificationType<unknown>(spec.method);
  return {
    register: (connection, logError) => {
      connection.onNotification(type, async (params) => {
        try {
          await handle(validate(spec.method, schema, params));
        } catch (error) {
          // A notification has no answer: the log is the only place for its failure.
          logError(`${spec.method}: ${messageOf(error)}`);
        }
      });
    },
  };
}

/** @throws LongviewError `badRequest` with everything that is wrong. */
export function validate<T>(method: string, schema: z.ZodType<T>, params: unknown): T {
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  );
  throw new LongviewError(
    'badRequest',
    `The parameters of ${method} are wrong: ${problems.join('; ')}.`,
    'Correct the parameters, or install the same version of Longview on both sides.',
    { problems },
  );
}

/** Every failure leaves the server here, and only here, as a JSON-RPC error. */
export function toResponseError(error: unknown, logError: LogError): ResponseError<ErrorData> {
  if (error instanceof CancelledError) return new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled');
  if (error instanceof LongviewError) return new ResponseError(LONGVIEW_ERROR, error.message, error.toData());
  logError(error instanceof Error && error.stack ? error.stack : messageOf(error));
  return new ResponseError(LONGVIEW_ERROR, `Longview made a mistake: ${messageOf(error)}`, {
    code: 'internal',
    action: 'Ask again; if it fails again, report it with the output of "Longview: Diagnose".',
  });
}

function progressSender(connection: Connection, params: unknown, logError: LogError) {
  const token = (params as StreamParams | null | undefined)?.partialResultToken;
  if (typeof token !== 'string' && typeof token !== 'number') return () => undefined;
  const type = new ProgressType<unknown[]>();
  return (events: unknown[]): void => {
    connection
      .sendProgress(type, token, events)
      .catch((error: unknown) => logError(`progress was not sent: ${messageOf(error)}`));
  };
}

function signalOf(token: CancellationToken): AbortSignal {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  token.onCancellationRequested(() => controller.abort());
  return controller.signal;
}
