import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import {
  createMessageConnection,
  ProgressType,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import { createConnection } from 'vscode-languageserver/node';
import { z } from 'zod';
import {
  Ask,
  Diagnose,
  DownloadModel,
  GetEngineStatus,
  ListModels,
  LONGVIEW_ERROR,
  ManifestSync,
  PROTOCOL_VERSION,
  request,
  type StreamParams,
} from '../../../../protocol';
import { answers, type RequestContext, type Route } from '../../../../server/connection';
import type { ContextService } from '../../../../server/context/context-service';
import { CancelledError, LongviewError } from '../../../../server/errors';
import { checkInitializationOptions } from '../../../../server/handlers/initialize';
import { PromptMemory } from '../../../../server/handlers/prompt-memory';
import { createRoutes, type RouteDependencies } from '../../../../server/handlers/routes';

/** A client and a server connection in one process, with the table between them. */
function connect(routes: Route[]) {
  const [up, down] = [new PassThrough(), new PassThrough()];
  const logged: string[] = [];
  const server = createConnection(up, down);
  for (const route of routes) route.register(server, (message) => logged.push(message));
  server.onInitialize(() => ({ capabilities: {} }));
  server.listen();
  const client = createMessageConnection(new StreamMessageReader(down), new StreamMessageWriter(up));
  client.listen();
  return { client, logged };
}

const unused = () => Promise.reject(new Error('not asked for here'));

function routesWith(more: Partial<RouteDependencies> = {}): Route[] {
  return createRoutes({
    models: { resolve: unused, list: () => Promise.resolve([]), download: unused, importFile: unused },
    context: {
      sync: () => Promise.resolve({ resync: false, files: 3 }),
    } as Partial<ContextService> as ContextService,
    engine: {
      generate: unused,
      heldTokens: () => [],
      purge: () => Promise.resolve(7),
      deviceFor: () => Promise.resolve('cpu' as const),
      status: { state: 'idle', queued: 0 },
    },
    tokenText: unused,
    prompts: new PromptMemory(),
    warm: { configure: () => undefined, giveWay: () => undefined, noteChange: () => undefined },
    inspector: { inspect: unused, noteChange: () => undefined },
    now: () => 0,
    options: { protocolVersion: PROTOCOL_VERSION, cacheDir: '/cache', cpuThreads: 0 },
    version: '1.2.3',
    ...more,
  });
}

const SYNC = { mode: 'full', revision: 1, last: true, roots: [], upserts: [], removals: [] };
const ASK = {
  question: 'why?',
  history: [],
  attachments: [],
  options: {
    device: 'auto',
    attention: 'auto',
    quality: 'balanced',
    maxAnswerTokens: 5,
    sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
  },
};

suite('the table of methods', () => {
  test('answers what the protocol names', async () => {
    const { client } = connect(routesWith());
    assert.deepEqual(await client.sendRequest(ManifestSync.method, SYNC), { resync: false, files: 3 });
    assert.deepEqual(await client.sendRequest(ListModels.method, { device: 'auto' }), { models: [] });
    assert.deepEqual(await client.sendRequest(GetEngineStatus.method, {}), { state: 'idle', queued: 0 });
    const { report } = await client.sendRequest<{ report: string }>(Diagnose.method, {});
    assert.match(report, /Longview server 1\.2\.3/);
    assert.match(report, /Cache folder: \/cache/);
  });

  const bad: [string, string, unknown, RegExp][] = [
    ['an empty question', Ask.method, { ...ASK, question: '  ' }, /question: the question is empty/],
    [
      'an unknown device',
      Ask.method,
      { ...ASK, options: { ...ASK.options, device: 'tpu' } },
      /options\.device/,
    ],
    [
      'a negative answer',
      Ask.method,
      { ...ASK, options: { ...ASK.options, maxAnswerTokens: -1 } },
      /maxAnswerTokens/,
    ],
    ['a missing field', ManifestSync.method, { ...SYNC, roots: undefined }, /roots/],
    ['a wrong entry', ManifestSync.method, { ...SYNC, upserts: [{ root: 0 }] }, /upserts\.0\.path/],
    ['no parameters at all', DownloadModel.method, undefined, /longview\/models\/download/],
    ['a text for an object', Ask.method, ['why?'], /longview\/ask/],
  ];
  for (const [what, method, params, message] of bad)
    test(`refuses ${what} and says what is wrong`, async () => {
      const { client } = connect(routesWith());
      await assert.rejects(
        client.sendRequest(method, params),
        (error: Error & { code: number; data: unknown }) => {
          assert.equal(error.code, LONGVIEW_ERROR);
          assert.match(error.message, message);
          assert.equal((error.data as { code: string }).code, 'badRequest');
          return true;
        },
      );
    });

  const Probe = request<StreamParams, string, number>('test/probe');
  const probeParams = z.object({ partialResultToken: z.string().exactOptional() });
  const probe = (handle: (params: object, context: RequestContext<number>) => Promise<string>) =>
    connect([answers(Probe, probeParams, handle)]);

  test('translates named failures with code, action and details', async () => {
    const failure = new LongviewError('modelMissing', 'gone', 'Download it.', { id: 'x' });
    const { client, logged } = probe(() => Promise.reject(failure));
    await assert.rejects(client.sendRequest(Probe.method, {}), {
      code: LONGVIEW_ERROR,
      message: 'gone',
      data: { code: 'modelMissing', action: 'Download it.', details: { id: 'x' } },
    });
    assert.deepEqual(logged, []);
  });

  test('cancellation is the error of the language server protocol', async () => {
    const { client } = probe(() => Promise.reject(new CancelledError()));
    await assert.rejects(client.sendRequest(Probe.method, {}), { code: -32800 });
  });

  test('anything else is internal, and its stack is in the log', async () => {
    const { client, logged } = probe(() => Promise.reject(new TypeError('x is not a function')));
    await assert.rejects(client.sendRequest(Probe.method, {}), {
      code: LONGVIEW_ERROR,
      message: 'Longview made a mistake: x is not a function',
    });
    assert.match(logged.join(), /TypeError: x is not a function\n\s+at /);
  });

  test('streams events under the partial result token, before the answer', async () => {
    const { client } = probe((_params, { emit }) => {
      emit([1, 2]);
      emit([3]);
      return Promise.resolve('end');
    });
    const seen: unknown[] = [];
    const collect = (events: number[]): void => void seen.push(events);
    client.onProgress(new ProgressType<number[]>(), 'T', collect);
    const result = await client.sendRequest(Probe.method, { partialResultToken: 'T' });
    assert.equal(result, 'end');
    assert.deepEqual(seen, [[1, 2], [3]]);
  });
});

suite('initialize', () => {
  const GOOD = { protocolVersion: PROTOCOL_VERSION, cacheDir: '/cache', cpuThreads: 2 };

  test('takes good options', () => {
    assert.deepEqual(checkInitializationOptions(GOOD), GOOD);
    const more = { ...GOOD, gpu: 1, prefillPrecision: 'fp8', idleUnloadMinutes: 0.5 };
    assert.deepEqual(checkInitializationOptions(more), more);
  });

  test('refuses another version of the protocol in words', () => {
    assert.throws(() => checkInitializationOptions({ ...GOOD, protocolVersion: 99 }), {
      code: 'badRequest',
      message: /version 99.*this server version 2/,
    });
  });

  test('refuses options that are missing or wrong', () => {
    assert.throws(() => checkInitializationOptions(undefined), { code: 'badRequest' });
    assert.throws(() => checkInitializationOptions({ ...GOOD, cpuThreads: -1 }), /cpuThreads/);
    assert.throws(() => checkInitializationOptions({ ...GOOD, gpu: 0.5 }), /gpu/);
    assert.throws(
      () => checkInitializationOptions({ ...GOOD, prefillPrecision: 'int8' }),
      /prefillPrecision/,
    );
  });
});
