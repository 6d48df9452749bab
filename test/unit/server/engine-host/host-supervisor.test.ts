import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HostSupervisor } from '../../../../server/engine-host/host-supervisor';
import { RestartPolicy } from '../../../../server/engine-host/restart-policy';
import { CancelledError } from '../../../../server/errors';

/** Engine hosts in a few lines: real processes, scripted behaviour. `openSequence` answers with the process id. */
const HOSTS = {
  good: `
    process.on('disconnect', () => process.exit(0));
    process.on('message', ({ id, method, argument }) => {
      if (method === 'openSequence') process.send({ kind: 'result', id, value: process.pid });
      if (method === 'prefillChunk') process.send({ kind: 'progress', id, progress: 0.5 });
      if (method === 'prefillChunk')
        process.send({ kind: 'result', id, value: { next: argument.tokens[1], deviceMs: argument.tokens.length } });
      if (method === 'decodeStep') { console.error('cannot go on'); process.exit(7); }
      if (method === 'closeSequence') process.kill(process.pid, 'SIGKILL');
    });
    process.stdout.write('Content-Length: not a header of ours\\n');
    process.send({ kind: 'ready' });`,
  dead: `console.error("Cannot find module 'native-thing'"); process.exit(1);`,
  stubborn: `setInterval(() => undefined, 1000); process.send({ kind: 'ready' });`,
  silent: `setInterval(() => undefined, 1000);`,
};

const OPEN = { sampling: { temperature: 0, topP: 1, topK: 0, stop: [] }, firstUnusedToken: 9 };

suite('HostSupervisor', () => {
  let folder = '';
  const running: HostSupervisor[] = [];

  suiteSetup(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'longview-host-'));
    for (const [name, source] of Object.entries(HOSTS))
      await writeFile(path.join(folder, `${name}.js`), source);
  });
  teardown(async () => {
    for (const supervisor of running.splice(0)) await supervisor.dispose();
  });
  suiteTeardown(() => rm(folder, { recursive: true }));

  function setup(host: keyof typeof HOSTS, startTimeoutMs = 10_000) {
    const states: string[] = [];
    // Another pipe than the one that carries results: a line may come after them.
    let firstLine: (line: string) => void;
    const line = new Promise<string>((resolve) => (firstLine = resolve));
    let now = 0;
    const supervisor = new HostSupervisor({
      modulePath: path.join(folder, `${host}.js`),
      log: (printed) => firstLine(printed),
      startTimeoutMs,
      // Crashes far apart: no test waits for a back-off.
      policy: new RestartPolicy(() => (now += 60_000)),
      onState: (state, message) => states.push(`${state}: ${message ?? ''}`),
    });
    running.push(supervisor);
    return { supervisor, states, line };
  }

  test('carries typed arrays both ways, and what the process prints goes to the log', async () => {
    const { supervisor, line } = setup('good');
    const backend = await supervisor.acquire();
    assert.equal(await supervisor.acquire(), backend);
    const tokens = Int32Array.from([11, 22, 33]);
    const shares: number[] = [];
    const result = await backend.prefillChunk({ sequence: 1, tokens, sample: true }, (share) =>
      shares.push(share),
    );
    assert.deepEqual(result, { next: 22, deviceMs: 3 });
    assert.deepEqual(shares, [0.5]);
    assert.equal(await line, 'Content-Length: not a header of ours');
  });

  test('a release ends the process, tells nobody of a crash, and the next call starts another', async () => {
    const { supervisor, states } = setup('good');
    const first = await supervisor.acquire();
    const pid = await first.openSequence(OPEN);
    await supervisor.release();
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    assert.equal(supervisor.isAlive(first), false);
    const second = await supervisor.acquire();
    assert.notEqual(await second.openSequence(OPEN), pid);
    assert.deepEqual(states, []);
  });

  test('a kill fails the calls in flight, and the process is started again at once', async () => {
    const { supervisor, states } = setup('good');
    const first = await supervisor.acquire();
    const pid = await first.openSequence(OPEN);
    await assert.rejects(first.closeSequence(1), { code: 'engineCrashed', message: /SIGKILL/ });
    assert.equal(supervisor.isAlive(first), false);

    const second = await supervisor.acquire();
    assert.notEqual(second, first);
    assert.notEqual(await second.openSequence(OPEN), pid);
    assert.ok(supervisor.isAlive(second));
    assert.deepEqual(
      states.map((state) => state.split(':')[0]),
      ['restarting', 'idle'],
    );
    await assert.rejects(first.openSequence(OPEN), { code: 'engineCrashed' });
  });

  test('tells what the process last said', async () => {
    const { supervisor } = setup('good');
    const backend = await supervisor.acquire();
    await assert.rejects(backend.decodeStep({ sequence: 1, token: 1 }), {
      code: 'engineCrashed',
      message: /exit code 7.*It last said: cannot go on/,
    });
  });

  test('a process that cannot start is an error with the reason', async () => {
    const { supervisor, states } = setup('dead');
    await assert.rejects(supervisor.acquire(), { code: 'deviceUnavailable', message: /native-thing/ });
    assert.match(states.join(), /^failed: .*native-thing/);
  });

  test('a process that never gets ready is given up', async () => {
    const { supervisor } = setup('silent', 300);
    await assert.rejects(supervisor.acquire(), { code: 'engineCrashed' });
  });

  test('gives up after repeated crashes with a message that says so', async () => {
    const states: string[] = [];
    const supervisor = new HostSupervisor({
      modulePath: path.join(folder, 'dead.js'),
      log: () => undefined,
      startTimeoutMs: 10_000,
      policy: new RestartPolicy(() => 0, [0]),
      onState: (state, message) => states.push(`${state}: ${message ?? ''}`),
    });
    for (let attempt = 0; attempt < 4; attempt++)
      await assert.rejects(supervisor.acquire(), { code: 'deviceUnavailable' });
    await assert.rejects(supervisor.acquire(), { code: 'engineCrashed', message: /too often/ });
    assert.match(states.at(-1) ?? '', /too often.*three minutes/);
  });

  test('ends a process that does not want to end', async () => {
    const { supervisor } = setup('stubborn');
    const backend = await supervisor.acquire();
    const running = backend.openSequence(OPEN);
    await Promise.all([assert.rejects(running, CancelledError), backend.dispose()]);
    await assert.rejects(backend.openSequence(OPEN));
  });
});
