import assert from 'node:assert/strict';
import { type AskOptions, type EngineStatus, NO_CHOICES } from '../../../../protocol';
import type { ServerConnection, ServerState } from '../../../../src/client/server-connection';
import { type ConnectedServer, ServerSession } from '../../../../src/session/server-session';

const OPTIONS: AskOptions = {
  device: 'auto',
  attention: 'auto',
  quality: 'balanced',
  maxAnswerTokens: 10,
  sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
};

/** A server that notes, in order, what it is asked and told. */
function fakeServer(log: string[]) {
  let tell: (state: ServerState) => void = () => undefined;
  let notify: (status: EngineStatus) => void = () => undefined;
  let change: () => void = () => undefined;
  const answers: Record<string, unknown> = {
    'longview/engine/status': { state: 'idle', queued: 0 },
    'longview/models/list': { models: [] },
    'longview/ask': { answer: 'yes' },
    'longview/cache/purge': { bytes: 5 },
  };
  const connection = {
    request: ({ method }: { method: string }, params: { options?: AskOptions; openEditor?: string }) => {
      const editor = params.openEditor === undefined ? '' : ` beside ${params.openEditor}`;
      log.push(params.options ? `${method} ${params.options.maxAnswerTokens}${editor}` : method);
      return Promise.resolve(answers[method]);
    },
    notify: (_spec: unknown, { enabled, pinned }: { enabled?: boolean; pinned?: string[] }) => {
      if (enabled) log.push('warm');
      if (pinned?.length) log.push(`choices ${pinned.join()}`);
      return Promise.resolve();
    },
    onNotification: ({ method }: { method: string }, listener: (status: EngineStatus) => void) => {
      if (method === 'longview/engine/didChangeStatus') notify = listener;
      if (method === 'longview/context/didChange') change = listener as () => void;
      return { dispose: () => undefined };
    },
    onState: (listener: (state: ServerState) => void) => {
      tell = listener;
      return { dispose: () => undefined };
    },
    dispose: () => {
      log.push('dispose');
      return Promise.resolve();
    },
  } as unknown as ServerConnection;
  const files = {
    files: 3,
    flush: () => {
      log.push('flush');
      return Promise.resolve();
    },
    resend: () => {
      log.push('resend');
      return Promise.resolve();
    },
    dispose: () => void log.push('files dispose'),
  };
  const server: ConnectedServer = { connection, files };
  return {
    server,
    tell: (state: ServerState) => tell(state),
    notify: (status: EngineStatus) => notify(status),
    change: () => change(),
  };
}

const question = { question: 'Why?', history: [], attachments: [] };
const ignore = () => undefined;
const { signal } = new AbortController();

suite('ServerSession', () => {
  test('starts nothing until it is needed, then one server for all', async () => {
    const log: string[] = [];
    let starts = 0;
    const session = new ServerSession(
      () => {
        starts++;
        return Promise.resolve(fakeServer(log).server);
      },
      () => OPTIONS,
      ignore,
    );
    assert.equal(starts, 0);
    await Promise.all([session.listModels(), session.listFiles()]);
    assert.equal(starts, 1);
    await session.dispose();
    assert.deepEqual(log.slice(-2), ['files dispose', 'dispose']);
  });

  test('tells the server of every file before it asks, with the options of now', async () => {
    const log: string[] = [];
    let maxAnswerTokens = 10;
    const session = new ServerSession(
      () => Promise.resolve(fakeServer(log).server),
      () => ({ ...OPTIONS, maxAnswerTokens }),
      ignore,
    );
    maxAnswerTokens = 20;
    await session.ask(question, ignore, signal);
    assert.deepEqual(log, ['longview/engine/status', 'flush', 'longview/ask 20']);
  });

  test('the choices are told before anything is asked, when they change, and to a new server', async () => {
    const log: string[] = [];
    const fake = fakeServer(log);
    let pinned = ['a.ts'];
    const session = new ServerSession(
      () => Promise.resolve(fake.server),
      () => OPTIONS,
      ignore,
      undefined,
      () => 'b.ts',
      () => ({ ...NO_CHOICES, pinned }),
    );
    await session.choicesChanged();
    assert.equal(log.length, 0, 'no server is started for them');
    let changes = 0;
    session.context.on(() => changes++);
    await session.inspectContext({ history: [], attachments: [] }, signal);
    assert.deepEqual(log, [
      'choices a.ts',
      'longview/engine/status',
      'flush',
      'longview/context/inspect 10 beside b.ts',
    ]);
    pinned = ['a.ts', 'c.ts'];
    await session.choicesChanged();
    fake.tell({ kind: 'restarted' });
    assert.deepEqual(
      log.filter((line) => line.startsWith('choices')),
      ['choices a.ts', 'choices a.ts,c.ts', 'choices a.ts,c.ts'],
    );
    fake.change();
    assert.equal(changes, 1);
  });

  test('passes on what the engine says, and tells a new server of the files', async () => {
    const log: string[] = [];
    const fake = fakeServer(log);
    const session = new ServerSession(
      () => Promise.resolve(fake.server),
      () => OPTIONS,
      ignore,
    );
    const states: string[] = [];
    session.engine.on(({ state, message }) => states.push(message ? `${state}: ${message}` : state));
    await session.listModels();
    fake.notify({ state: 'loading', queued: 0 });
    fake.tell({ kind: 'restarting', message: 'It ended.' });
    fake.tell({ kind: 'restarted' });
    fake.tell({ kind: 'stopped', message: 'It stays down.' });
    assert.deepEqual(states, ['idle', 'loading', 'restarting: It ended.', 'idle', 'failed: It stays down.']);
    assert.ok(log.includes('resend'));
    assert.equal(session.status?.state, 'failed');
  });

  test('tells every server whether to compute ahead, and again when the settings change', async () => {
    const log: string[] = [];
    const fake = fakeServer(log);
    let isWanted = true;
    const session = new ServerSession(
      () => Promise.resolve(fake.server),
      () => OPTIONS,
      ignore,
      () => ({ enabled: isWanted }),
      () => 'src/a.ts',
    );
    await session.settingsChanged();
    assert.deepEqual(log, [], 'a change of settings starts no server');
    await session.open();
    assert.deepEqual(log.splice(0), ['longview/engine/status', 'warm']);
    await session.settingsChanged();
    assert.deepEqual(log.splice(0), ['warm']);
    fake.tell({ kind: 'restarted' });
    assert.deepEqual(log.splice(0), ['resend', 'warm']);
    isWanted = false;
    await session.settingsChanged();
    assert.deepEqual(log.splice(0), []);
    await session.ask(question, ignore, signal);
    assert.deepEqual(log.splice(0), ['flush', 'longview/ask 10 beside src/a.ts']);
    assert.equal(await session.purgePrefixCache(), 5);
  });

  test('a server that did not start is tried again with the next call', async () => {
    const log: string[] = [];
    let starts = 0;
    const session = new ServerSession(
      () => (starts++ === 0 ? Promise.reject(new Error('no room')) : Promise.resolve(fakeServer(log).server)),
      () => OPTIONS,
      ignore,
    );
    await assert.rejects(session.listModels(), /no room/);
    assert.deepEqual(await session.listModels(), []);
  });

  test('a restart ends the old server before it starts another', async () => {
    const log: string[] = [];
    const session = new ServerSession(
      () => {
        log.push('connect');
        return Promise.resolve(fakeServer(log).server);
      },
      () => OPTIONS,
      ignore,
    );
    await session.listModels();
    await session.restart();
    assert.deepEqual(
      log.filter((line) => !line.startsWith('longview/')),
      ['connect', 'files dispose', 'dispose', 'connect'],
    );
  });
});
