import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import * as tls from 'node:tls';
import { CancelledError, messageOf, throwIfCancelled } from '../../errors';
import { SourceFailure } from './model-source';
import { type Environment, proxyAuthorization, proxyFor } from './proxy';

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface HttpTimeouts {
  /** From the call to the headers of the last response, redirects and proxy included. */
  readonly answerMs: number;
  /** Longest silence within the body. */
  readonly stallMs: number;
}

export interface HttpGetRequest {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A response whose body must be read to its end or destroyed. */
export type HttpResponse = http.IncomingMessage;

/**
 * GET over http and https, directly or through the proxy that the environment names. Node's own `fetch` knows
 * no proxies, hence this.
 */
export class HttpClient {
  /** @param trustedCertificates PEM certificates to trust beside those of Node */
  constructor(
    private readonly env: Environment,
    private readonly timeouts: HttpTimeouts,
    private readonly trustedCertificates: readonly string[] = [],
  ) {}

  /**
   * Sends the request and follows redirects. Aborting `signal` ends the body, too.
   *
   * @throws SourceFailure when there is no answer in time or none at all, CancelledError
   */
  async get({ url, headers, signal }: HttpGetRequest): Promise<HttpResponse> {
    throwIfCancelled(signal);
    const exchange = new AbortController();
    const cancel = () => exchange.abort(new CancelledError());
    const proxy = proxyFor(url, this.env);
    const peer = proxy ? `${url.host} (through the proxy ${proxy.host})` : url.host;
    const late = new SourceFailure(`${peer} did not answer within ${this.timeouts.answerMs / 1000} s`);
    const timer = setTimeout(() => exchange.abort(late), this.timeouts.answerMs);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const response = await this.follow(url, headers, exchange.signal);
      response.once('close', () => signal.removeEventListener('abort', cancel));
      response.setTimeout(this.timeouts.stallMs, () => {
        response.destroy(new SourceFailure(`${url.host} sent nothing for ${this.timeouts.stallMs / 1000} s`));
      });
      return response;
    } catch (error) {
      signal.removeEventListener('abort', cancel);
      if (exchange.signal.aborted) throw exchange.signal.reason;
      if (error instanceof SourceFailure) throw error;
      throw new SourceFailure(`${url.host} cannot be reached: ${reasonOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  private async follow(
    start: URL,
    headers: HttpGetRequest['headers'],
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    let url = start;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await this.send(url, headers, signal);
      const { location } = response.headers;
      if (!REDIRECTS.has(response.statusCode ?? 0) || location === undefined) return response;
      response.destroy();
      if (!URL.canParse(location, url.href))
        throw new SourceFailure(`${url.host} redirects to no valid address`);
      const next = new URL(location, url);
      if (url.protocol === 'https:' && next.protocol !== 'https:') {
        throw new SourceFailure(`${url.host} redirects to an address without encryption`);
      }
      url = next;
    }
    throw new SourceFailure(`${start.host} redirects more than ${MAX_REDIRECTS} times`);
  }

  private async send(
    url: URL,
    headers: HttpGetRequest['headers'],
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const proxy = proxyFor(url, this.env);
    if (url.protocol === 'https:') {
      const socket = proxy && (await this.openTunnel(proxy, url, signal));
      return responseTo(
        https.request(url, { ...this.tlsOptions(), headers, signal, ...connectionOver(socket) }),
      );
    }
    if (url.protocol !== 'http:') throw new SourceFailure(`${url.href} is not a web address`);
    if (!proxy) return responseTo(http.request(url, { headers, signal, agent: false }));
    const forwarded = { ...headers, host: url.host, ...proxyHeaders(proxy) };
    return responseTo(this.requestProxy(proxy, { path: url.href, headers: forwarded, signal }));
  }

  /** A TLS connection to the target through the proxy. */
  private async openTunnel(proxy: URL, target: URL, signal: AbortSignal): Promise<tls.TLSSocket> {
    const authority = `${target.hostname}:${target.port || '443'}`;
    const request = this.requestProxy(proxy, {
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...proxyHeaders(proxy) },
      signal,
    });
    const socket = await new Promise<Socket>((resolve, reject) => {
      request.once('connect', (response, connected) => {
        if (response.statusCode === 200) {
          resolve(connected);
          return;
        }
        connected.destroy();
        reject(new SourceFailure(`the proxy ${proxy.host} refuses with status ${response.statusCode ?? 0}`));
      });
      request.once('error', (error) => {
        reject(new SourceFailure(`the proxy ${proxy.host} cannot be used: ${reasonOf(error)}`));
      });
      request.end();
    });
    return tls.connect({ ...this.tlsOptions(), socket, servername: target.hostname });
  }

  private requestProxy(proxy: URL, options: http.RequestOptions): http.ClientRequest {
    // A URL writes an IPv6 address in brackets; a socket wants it bare.
    const host = proxy.hostname.replace(/^\[|\]$/g, '');
    const address = { host, port: proxy.port, agent: false };
    return proxy.protocol === 'https:'
      ? https.request({ ...address, ...this.tlsOptions(), ...options })
      : http.request({ ...address, ...options });
  }

  private tlsOptions(): { ca?: string[] } {
    if (this.trustedCertificates.length === 0) return {};
    return { ca: [...tls.rootCertificates, ...this.trustedCertificates] };
  }
}

function proxyHeaders(proxy: URL): Record<string, string> {
  const authorization = proxyAuthorization(proxy);
  return authorization === undefined ? {} : { 'proxy-authorization': authorization };
}

/** Request options that use an open connection, or a fresh one that nothing else shares. */
function connectionOver(socket: tls.TLSSocket | undefined): http.RequestOptions {
  return socket ? { createConnection: () => socket } : { agent: false };
}

function responseTo(request: http.ClientRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    // Stays on after the response: an abort then errs on the request as well as on the body.
    request.on('error', reject);
    request.end();
  });
}

/** Node's network errors often have an empty message and a telling code. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return messageOf(error) || code;
}
