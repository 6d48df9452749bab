import type { ErrorData, NotificationSpec, RequestSpec, StreamParams } from '../../protocol';

export interface Disposable {
  dispose(): void;
}

export interface RequestOptions<Event> {
  /** Takes the events that are streamed while the request runs, in order. */
  onEvent?: (event: Event) => void;
  /** Aborting sends `$/cancelRequest`; the request still settles as the server answers. */
  signal?: AbortSignal;
}

/** Whether the server process can answer. `restarted` is a new process that knows nothing of the workspace. */
export type ServerState =
  | { kind: 'running' }
  | { kind: 'restarting'; message: string }
  | { kind: 'restarted' }
  | { kind: 'stopped'; message: string };

/** A running Longview server, whatever process and transport are behind it. */
export interface ServerConnection {
  /**
   * @throws ServerError what the server answered, or that it is gone
   * @throws RequestCancelledError when it was cancelled before there was a result
   */
  request<Params extends object, Result, Event = never>(
    spec: RequestSpec<Params, Result, Event>,
    params: Omit<Params, keyof StreamParams>,
    options?: RequestOptions<Event>,
  ): Promise<Result>;

  notify<Params>(spec: NotificationSpec<Params>, params: Params): Promise<void>;

  onNotification<Params>(spec: NotificationSpec<Params>, listener: (params: Params) => void): Disposable;

  /** Told when the server crashes, comes back or is given up. */
  onState(listener: (state: ServerState) => void): Disposable;

  /** Ends the server in an orderly way; kills it when it does not end. */
  dispose(): Promise<void>;
}

/** A failure that the server named: `data.code` is stable, `data.action` says what helps. */
export class ServerError extends Error {
  constructor(
    message: string,
    readonly data: ErrorData,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ServerError';
  }
}

/** The request was cancelled: an answer, not a failure. */
export class RequestCancelledError extends Error {
  constructor() {
    super('cancelled');
    this.name = 'RequestCancelledError';
  }
}
