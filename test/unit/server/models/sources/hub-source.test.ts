import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { CancelledError } from '../../../../../server/errors';
import { HttpClient } from '../../../../../server/models/sources/http-client';
import { HubSource } from '../../../../../server/models/sources/hub-source';
import { SourceFailure } from '../../../../../server/models/sources/model-source';
import type { Environment } from '../../../../../server/models/sources/proxy';
import { type Handler, useLocalServers } from '../support/local-server';
import { selfSigned } from '../support/self-signed';
import { SMALL_MODEL, SMALL_MODEL_BYTES } from '../support/small-model';
import { useTempFolder } from '../support/temp-folder';

const TOTAL = SMALL_MODEL_BYTES.length;
const HALF = Math.floor(TOTAL / 2);
const FILE_PATH = '/someone/small-gguf/resolve/abc123/small.gguf';
const ETAG = '"v1"';
const PATIENT = { answerMs: 10_000, stallMs: 10_000 };
/** For servers that are silent on purpose: only the wait that is under test is short, so that a slow machine meets no other. */
const IMPATIENT = { ...PATIENT, answerMs: 150 };
const IMPATIENT_WITHIN_THE_FILE = { ...PATIENT, stallMs: 150 };

const folder = useTempFolder();
const servers = useLocalServers();
const partPath = () => join(folder(), 'hub.part');

interface FetchSetup {
  env?: Environment;
  timeouts?: { answerMs: number; stallMs: number };
  certificates?: string[];
  signal?: AbortSignal;
  onProgress?: (receivedBytes: number) => void;
}

function fetchFrom(endpoint: string, options: FetchSetup = {}): Promise<string> {
  const env = { ...options.env, HF_ENDPOINT: endpoint };
  const http = new HttpClient(env, options.timeouts ?? PATIENT, options.certificates);
  return new HubSource(http, env).offer(SMALL_MODEL).fetch({
    workDir: folder(),
    onProgress: options.onProgress ?? (() => undefined),
    signal: options.signal ?? new AbortController().signal,
  });
}

async function assertComplete(fetching: Promise<string>): Promise<void> {
  assert.deepEqual(readFileSync(await fetching), SMALL_MODEL_BYTES);
}

/** Answers as the hub does: whole or from a range on, the range only for a matching If-Range. */
function serveFile(request: IncomingMessage, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? -1);
  const condition = request.headers['if-range'];
  if (from < 0 || (condition !== undefined && condition !== ETAG)) {
    response.writeHead(200, { 'content-length': TOTAL, etag: ETAG }).end(SMALL_MODEL_BYTES);
    return;
  }
  response
    .writeHead(206, { 'content-range': `bytes ${from}-${TOTAL - 1}/${TOTAL}`, etag: ETAG })
    .end(SMALL_MODEL_BYTES.subarray(from));
}

/** Servers that promise the whole file and break the connection once the client has some bytes of it. */
class Cutter {
  private open: ServerResponse | undefined;

  constructor(private readonly knowsRanges = true) {}

  readonly cut = () => {
    this.open?.destroy();
    this.open = undefined;
  };

  /** Sends `bytes` of what was asked for, and no more until `cut`. */
  send(bytes: number, request: IncomingMessage, response: ServerResponse): void {
    const from = this.knowsRanges ? Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0) : 0;
    const range = { 'content-range': `bytes ${from}-${TOTAL - 1}/${TOTAL}` };
    const headers = { 'content-length': TOTAL - from, etag: ETAG };
    response.writeHead(from > 0 ? 206 : 200, from > 0 ? { ...headers, ...range } : headers);
    response.write(SMALL_MODEL_BYTES.subarray(from, from + bytes));
    this.open = response;
  }
}

suite('HubSource', () => {
  test('fetches the file of the pinned revision and tells its progress', async () => {
    const paths: string[] = [];
    const received: number[] = [];
    const endpoint = await servers.http((request, response) => {
      paths.push(request.url ?? '');
      serveFile(request, response);
    });
    await assertComplete(fetchFrom(`${endpoint}/`, { onProgress: (bytes) => received.push(bytes) }));
    assert.deepEqual(paths, [FILE_PATH]);
    assert.equal(received.at(-1), TOTAL);
    assert.ok(received.every((bytes, i) => i === 0 || bytes > received[i - 1]!));
  });

  test('follows redirects, also relative ones', async () => {
    const target = await servers.http((request, response) => {
      if (request.url !== '/blob') return response.writeHead(307, { location: '/blob' }).end() as never;
      serveFile(request, response);
    });
    const endpoint = await servers.http((_, response) =>
      response.writeHead(302, { location: `${target}/x` }).end(),
    );
    await assertComplete(fetchFrom(endpoint));
  });

  test('gives up on redirects without end', async () => {
    const endpoint = await servers.http((request, response) =>
      response.writeHead(302, { location: request.url }).end(),
    );
    await assert.rejects(fetchFrom(endpoint), /redirects more than/);
  });

  test('goes on after a broken connection, from where it broke', async () => {
    const ranges: (string | undefined)[] = [];
    const cutter = new Cutter();
    const endpoint = await servers.http((request, response) => {
      ranges.push(request.headers.range);
      if (ranges.length < 3) cutter.send(1000, request, response);
      else serveFile(request, response);
    });
    await assertComplete(fetchFrom(endpoint, { onProgress: cutter.cut }));
    assert.deepEqual(ranges, [undefined, 'bytes=1000-', 'bytes=2000-']);
  });

  test('goes on in a later call, asking for the same version', async () => {
    const conditions: unknown[] = [];
    const cutter = new Cutter();
    let isBroken = true;
    const endpoint = await servers.http((request, response) => {
      conditions.push(request.headers['if-range']);
      if (isBroken && conditions.length > 1) response.destroy();
      else if (isBroken) cutter.send(1000, request, response);
      else serveFile(request, response);
    });
    await assert.rejects(fetchFrom(endpoint, { onProgress: cutter.cut }), SourceFailure);
    assert.equal(readFileSync(partPath()).length, 1000);
    isBroken = false;
    await assertComplete(fetchFrom(endpoint));
    assert.deepEqual(conditions, [undefined, ETAG, ETAG]);
  });

  test('starts over when the file behind the name has changed', async () => {
    writeFileSync(partPath(), Buffer.alloc(HALF, 1));
    writeFileSync(`${partPath()}.json`, JSON.stringify({ etag: '"older"' }));
    await assertComplete(fetchFrom(await servers.http(serveFile)));
  });

  test('starts over when the server knows no ranges', async () => {
    writeFileSync(partPath(), SMALL_MODEL_BYTES.subarray(0, HALF));
    const endpoint = await servers.http((_, response) => response.end(SMALL_MODEL_BYTES));
    await assertComplete(fetchFrom(endpoint));
  });

  test('asks for nothing when the file is complete', async () => {
    writeFileSync(partPath(), SMALL_MODEL_BYTES);
    await assertComplete(fetchFrom('http://127.0.0.1:1'));
  });

  test('drops a part that is longer than the file', async () => {
    writeFileSync(partPath(), Buffer.alloc(TOTAL + 5));
    await assertComplete(fetchFrom(await servers.http(serveFile)));
  });

  test('drops a part that the server calls out of range', async () => {
    writeFileSync(partPath(), SMALL_MODEL_BYTES.subarray(0, HALF));
    const endpoint = await servers.http((_, response) => response.writeHead(416).end());
    await assert.rejects(fetchFrom(endpoint), /status 416/);
    assert.equal(readFileSync(partPath()).length, 0);
  });

  test('gives up a server that breaks again and again at the same place and knows no ranges', async () => {
    let requests = 0;
    const cutter = new Cutter(false);
    const endpoint = await servers.http((request, response) => {
      requests++;
      cutter.send(1000, request, response);
    });
    await assert.rejects(fetchFrom(endpoint, { onProgress: cutter.cut }), /broke the connection/);
    assert.equal(requests, 4);
  });

  test('gives up a server that does not answer', async () => {
    const endpoint = await servers.http(() => undefined);
    await assert.rejects(fetchFrom(endpoint, { timeouts: IMPATIENT }), /did not answer within 0\.15 s/);
  });

  test('gives up a server that falls silent within the file, and keeps the part', async () => {
    const endpoint = await servers.http((request, response) => {
      response.writeHead(request.headers.range ? 206 : 200, {
        'content-length': request.headers.range ? TOTAL - 1000 : TOTAL,
        'content-range': `bytes 1000-${TOTAL - 1}/${TOTAL}`,
      });
      if (!request.headers.range) response.write(SMALL_MODEL_BYTES.subarray(0, 1000));
      else response.flushHeaders();
    });
    const fetching = fetchFrom(endpoint, { timeouts: IMPATIENT_WITHIN_THE_FILE });
    await assert.rejects(fetching, /sent nothing for 0\.15 s/);
    assert.equal(readFileSync(partPath()).length, 1000);
  });

  test('names a server that is not there', async () => {
    await assert.rejects(fetchFrom('http://127.0.0.1:1'), /127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/);
  });

  const refusals: [name: string, handler: Handler, message: RegExp][] = [
    ['a missing file', (_, response) => response.writeHead(404).end(), /status 404/],
    ['another file', (_, response) => response.end('not it'), /another file, of 6 bytes/],
    [
      'a range that was not asked for',
      (_, response) => response.writeHead(206, { 'content-range': `bytes 5-9/${TOTAL}` }).end('12345'),
      /not asked for/,
    ],
    ['a range without its place', (_, response) => response.writeHead(206).end(), /status 206/],
    [
      'too many bytes',
      (_, response) => {
        response.writeHead(200, { 'transfer-encoding': 'chunked' });
        response.end(Buffer.concat([SMALL_MODEL_BYTES, Buffer.from('more')]));
      },
      /sends more than/,
    ],
    [
      'a redirect to nowhere',
      (_, response) => response.writeHead(302, { location: 'http://[' }).end(),
      /no valid address/,
    ],
  ];
  for (const [name, handler, message] of refusals) {
    test(`refuses ${name}`, async () => {
      await assert.rejects(fetchFrom(await servers.http(handler)), (error: unknown) => {
        assert.ok(error instanceof SourceFailure, String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }

  test('refuses an endpoint that is no web address', async () => {
    await assert.rejects(fetchFrom('not an address'), /HF_ENDPOINT is not a web address/);
    await assert.rejects(fetchFrom('ftp://mirror'), /not a web address/);
  });

  test('stops at once when cancelled, and keeps the part', async () => {
    const stop = new AbortController();
    const endpoint = await servers.http((_, response) => {
      response.writeHead(200, { 'content-length': TOTAL });
      response.write(SMALL_MODEL_BYTES.subarray(0, 1000));
    });
    const fetching = fetchFrom(endpoint, { signal: stop.signal, onProgress: () => stop.abort() });
    await assert.rejects(fetching, CancelledError);
    assert.equal(readFileSync(partPath()).length, 1000);
    await assert.rejects(fetchFrom(endpoint, { signal: stop.signal }), CancelledError);
  });

  test('stops while it waits for an answer', async () => {
    const stop = new AbortController();
    const endpoint = await servers.http(() => stop.abort());
    await assert.rejects(fetchFrom(endpoint, { signal: stop.signal }), CancelledError);
  });

  test('passes on an error of the disk as it came', async () => {
    const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const env = { HF_ENDPOINT: await servers.http(serveFile) };
    const source = new HubSource(new HttpClient(env, PATIENT), env, (path) =>
      Promise.resolve({
        path,
        lengthBytes: 0,
        append: () => Promise.reject(full),
        truncate: () => Promise.resolve(),
        close: () => Promise.resolve(),
      }),
    );
    const request = { workDir: folder(), onProgress: () => undefined, signal: new AbortController().signal };
    await assert.rejects(source.offer(SMALL_MODEL).fetch(request), (error) => error === full);
    assert.ok(!existsSync(partPath()));
  });
});

suite('HubSource through a proxy', () => {
  test('sends plain requests to the proxy, with its credentials', async () => {
    const seen: string[] = [];
    const endpoint = await servers.http(serveFile);
    const proxy = (await servers.proxy(seen)).replace('http://', 'http://me:secret@');
    await assertComplete(fetchFrom(endpoint, { env: { HTTP_PROXY: proxy } }));
    assert.deepEqual(seen, [
      `GET ${endpoint}${FILE_PATH} Basic ${Buffer.from('me:secret').toString('base64')}`,
    ]);
  });

  test('tunnels encrypted requests', async () => {
    const seen: string[] = [];
    const identity = selfSigned();
    const endpoint = await servers.https(identity, serveFile);
    const env = { https_proxy: await servers.proxy(seen) };
    await assertComplete(fetchFrom(endpoint, { env, certificates: [identity.cert] }));
    assert.deepEqual(seen, [`CONNECT ${new URL(endpoint).host}`]);
  });

  test('fetches encrypted without a proxy, too, and passes by one that NO_PROXY exempts', async () => {
    const identity = selfSigned();
    const endpoint = await servers.https(identity, serveFile);
    const env = { https_proxy: 'http://127.0.0.1:1', no_proxy: 'localhost' };
    await assertComplete(fetchFrom(endpoint, { env, certificates: [identity.cert] }));
  });

  test('refuses a certificate that nobody vouches for', async () => {
    const endpoint = await servers.https(selfSigned(), serveFile);
    await assert.rejects(fetchFrom(endpoint), /cannot be reached: .*(self.signed|certificate)/);
  });

  test('never leaves encryption on a redirect', async () => {
    const identity = selfSigned();
    const plain = await servers.http(serveFile);
    const endpoint = await servers.https(identity, (_, response) =>
      response.writeHead(302, { location: plain }).end(),
    );
    await assert.rejects(fetchFrom(endpoint, { certificates: [identity.cert] }), /without encryption/);
  });

  test('names a proxy that refuses, is not there or says nothing', async () => {
    const refusing = await servers.http(() => undefined);
    const https = (proxy: string) =>
      fetchFrom('https://localhost:1', { env: { HTTPS_PROXY: proxy }, timeouts: IMPATIENT });
    await assert.rejects(https('http://127.0.0.1:1'), /proxy 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED/);
    await assert.rejects(https(refusing), /proxy .* cannot be used|did not answer/);
    const silent = await servers.http(() => undefined);
    const plain = fetchFrom('http://localhost:1', { env: { HTTP_PROXY: silent }, timeouts: IMPATIENT });
    await assert.rejects(plain, /through the proxy 127\.0\.0\.1:\d+\) did not answer within/);
  });
});
