import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { notification, request } from '../../../../protocol';
import {
  RequestCancelledError,
  ServerError,
  type ServerState,
} from '../../../../src/client/server-connection';
import { StdioConnection } from '../../../../src/client/stdio-connection';
import { namedError } from '../../../../src/client/typed-requests';

/** A server in a few lines, speaking JSON-RPC by hand. `die` ends it, `wait` answers only to a cancel. */
const SERVER = `
  const waiting = new Map();
  const send = (message) => {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message });
    process.stdout.write('Content-Length: ' + Buffer.byteLength(text) + '\\r\\n\\r\\n' + text);
  };
  const handlers = {
    initialize: (id, { initializationOptions }) =>
      initializationOptions.protocolVersion === 1
        ? send({ id, result: { capabilities: {} } })
        : send({ id, error: { code: -32050, message: 'another version', data: { code: 'badRequest', action: 'Update.' } } }),
    shutdown: (id) => send({ id, result: null }),
    exit: () => process.exit(0),
    'test/echo': (id, params) => {
      const token = params.partialResultToken;
      if (token) for (const value of [[1, 2], [3]]) send({ method: '$/progress', params: { token, value } });
      send({ id, result: params.text });
      send({ method: 'test/told', params: { text: params.text } });
    },
    'test/wait': (id) => waiting.set(id, true),
    '$/cancelRequest': (_id, { id }) => send({ id, error: { code: -32800, message: 'cancelled' } }),
    'test/fail': (id) =>
      send({ id, error: { code: -32050, message: 'no model', data: { code: 'modelMissing', action: 'Get one.' } } }),
    'test/die': () => { console.error('out of luck'); process.exit(9); },
  };
  let buffer = Buffer.alloc(0);
  process.stdin.on('data', (data) => {
    buffer = Buffer.concat([buffer, data]);
    for (;;) {
      const end = buffer.indexOf('\\r\\n\\r\\n');
      if (end < 0) return;
      const length = Number(/Content-Length: (\\d+)/.exec(buffer.subarray(0, end))[1]);
      if (buffer.length < end + 4 + length) return;
      const { id, method, params } = JSON.parse(buffer.subarray(end + 4, end + 4 + length));
      buffer = buffer.subarray(end + 4 + length);
      handlers[method]?.(id, params);
    }
  });`;

const Echo = request<{ text: string; partialResultToken?: string }, string, number>('test/echo');
const Wait = request<Record<string, never>, never>('test/wait');
const Fail = request<Record<string, never>, never>('test/fail');
const Die = request<Record<string, never>, never>('test/die');
const Told = notification<{ text: string }>('test/told');

suite('StdioConnection', () => {
  let folder = '';
  let connection: StdioConnection;

  const start = (protocolVersion = 1) =>
    StdioConnection.start({
      serverPath: path.join(folder, 'server.js'),
      initialization: { protocolVersion, cacheDir: '/cache', cpuThreads: 0 },
      log: () => undefined,
    });

  suiteSetup(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'longview-client-'));
    await writeFile(path.join(folder, 'server.js'), SERVER);
  });
  suiteTeardown(() => rm(folder, { recursive: true }));
  setup(async () => {
    connection = await start();
  });
  teardown(() => connection.dispose());

  test('answers, with events in order and notifications', async () => {
    const events: number[] = [];
    const told = new Promise((resolve) => connection.onNotification(Told, resolve));
    const answer = await connection.request(
      Echo,
      { text: 'hello' },
      { onEvent: (event) => events.push(event) },
    );
    assert.equal(answer, 'hello');
    assert.deepEqual(events, [1, 2, 3]);
    assert.deepEqual(await told, { text: 'hello' });
  });

  test('a failure that the server names keeps its data', async () => {
    await assert.rejects(connection.request(Fail, {}), (error) => {
      assert.ok(error instanceof ServerError);
      assert.deepEqual(
        [error.message, error.data.code, error.data.action],
        ['no model', 'modelMissing', 'Get one.'],
      );
      return true;
    });
  });

  test('an aborted request is cancelled at the server', async () => {
    const stop = new AbortController();
    const waiting = connection.request(Wait, {}, { signal: stop.signal });
    stop.abort();
    await assert.rejects(waiting, RequestCancelledError);
    await assert.rejects(connection.request(Wait, {}, { signal: stop.signal }), RequestCancelledError);
  });

  test('the end of the process fails what runs, with what it last said', async () => {
    const states: ServerState[] = [];
    connection.onState((state) => states.push(state));
    const waiting = connection.request(Wait, {});
    const dying = connection.request(Die, {});
    for (const request of [waiting, dying])
      await assert.rejects(request, /The Longview server ended \(exit code 9\)\. It last said: out of luck/);
    assert.deepEqual(
      states.map(({ kind }) => kind),
      ['stopped'],
    );
    await assert.rejects(connection.request(Echo, { text: 'x' }), ServerError);
  });

  test('a refused handshake is an error in words, and leaves no process', async () => {
    await assert.rejects(start(2), { message: 'another version' });
  });
});

suite('namedError', () => {
  test('names what nobody named', () => {
    const error = namedError(new Error('pipe closed'));
    assert.ok(error instanceof ServerError);
    assert.equal(error.data.code, 'internal');
    assert.match(error.message, /pipe closed/);
  });

  test('says that the server ended when its connection did', () => {
    const error = namedError({ code: -32097, message: 'Pending response rejected' });
    assert.match(error.message, /server ended before it had answered/);
  });

  test('does not trust an error number without its data', () => {
    const error = namedError({ code: -32050, message: 'odd', data: null });
    assert.ok(error instanceof ServerError);
    assert.equal(error.data.code, 'internal');
  });
});
