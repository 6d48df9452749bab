/**
 * A request of the Longview protocol: its method name carries the types of its parameters, its result and
 * the events streamed while it runs (sent with `$/progress` under the request's `partialResultToken`).
 */
export interface RequestSpec<Params, Result, Event = never> {
  readonly method: string;
  /** Type carrier only; never present at run time. */
  readonly types?: { params: Params; result: Result; event: Event };
}

/** A notification of the Longview protocol. */
export interface NotificationSpec<Params> {
  readonly method: string;
  /** Type carrier only; never present at run time. */
  readonly types?: { params: Params };
}

/** Mixed into the parameters of a request that streams: events arrive as arrays under this token. */
export interface StreamParams {
  partialResultToken?: string | number;
}

export const request = <Params, Result, Event = never>(
  method: string,
): RequestSpec<Params, Result, Event> => ({
  method,
});

export const notification = <Params>(method: string): NotificationSpec<Params> => ({ method });
