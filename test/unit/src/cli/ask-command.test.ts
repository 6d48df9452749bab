import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  Ask,
  type AskEvent,
  type AskParams,
  type AskResult,
  CountAttachments,
  DownloadModel,
  ManifestSync,
  NO_CHOICES,
  SetContextChoices,
} from '../../../../protocol';
import { inclusionLine } from '../../../../src/cli/answer-text';
import { type AskCommand, parseCommand } from '../../../../src/cli/arguments';
import { runAsk } from '../../../../src/cli/ask-command';
import { UsageError } from '../../../../src/cli/exit-codes';
import { ProgressLine } from '../../../../src/cli/progress-line';
import { type ServerConnection, ServerError } from '../../../../src/client/server-connection';

const RESULT: AskResult = {
  answer: 'It counts.',
  citations: [
    { path: 'a.ts', startLine: 3, endLine: 9, verified: true, origin: 'quote', claim: 'count' },
    { path: 'b.ts', startLine: 1, endLine: 1, verified: false, origin: 'written', claim: '' },
  ],
  symbols: [],
  inclusion: {
    totalFiles: 412,
    included: Array.from({ length: 38 }, (_, n) => ({ path: `f${n}`, tokens: 1, reason: 'ranked' as const })),
    excerpts: [],
    excluded: [{ path: 'x.png', reason: 'binary' }],
    excludedByReason: { binary: 4, noRoom: 370 },
    fileTokens: 3912,
    budgetTokens: 4000,
    promptTokens: 3990,
    newerVersions: [],
    pinsWithoutRoom: [],
    historyTokens: 0,
    droppedTurns: 0,
    shortenedTurns: 0,
  },
  stopReason: 'endOfTurn',
  record: {
    ttftMs: 1850.5,
    stagesMs: { queue: 0, load: 200, context: 300, tokenize: 20, prefill: 1350, firstToken: 0.5 },
    promptTokens: 3990,
    cachedTokens: 90,
    cacheSource: 'device',
    answerTokens: 4,
    decodeTokensPerSecond: 12.5,
    prefillTokensPerSecond: 2888.9,
    contextTokens: 4096,
    model: 'm-1',
    backend: 'onnx',
    device: 'CPU (2 threads)',
    attention: 'dense',
    notices: ['Something was done in a lesser way.'],
  },
};

const EVENTS: AskEvent[] = [
  { seq: 0, kind: 'prefill', total: 3990, cached: 90, processed: 2000, ms: 10, etaMs: 3100 },
  { seq: 1, kind: 'token', text: 'It ' },
  { seq: 2, kind: 'token', text: 'counts.' },
  { seq: 3, kind: 'done', record: RESULT.record },
];

/** A server by script: each method answers from a list. */
class FakeConnection implements ServerConnection {
  readonly requests: { method: string; params: unknown }[] = [];

  constructor(private readonly answers: Record<string, (() => unknown)[]>) {}

  request: ServerConnection['request'] = (spec, params, options) => {
    this.requests.push({ method: spec.method, params });
    const answer = this.answers[spec.method]?.shift();
    assert.ok(answer, `${spec.method} was not expected`);
    return Promise.resolve()
      .then(answer)
      .then((value) => {
        const { events, result } = value as { events?: never[]; result: never };
        for (const event of events ?? []) options?.onEvent?.(event);
        return result;
      });
  };
  notify: ServerConnection['notify'] = (spec, params) => {
    this.requests.push({ method: spec.method, params });
    return Promise.resolve();
  };
  onNotification = () => ({ dispose: () => undefined });
  onState = () => ({ dispose: () => undefined });
  dispose = () => Promise.resolve();
}

const synced = () => ({ result: { resync: false, files: 1 } });
const answered = () => ({ events: EVENTS, result: RESULT });

suite('longview ask', () => {
  let repo = '';
  suiteSetup(async () => {
    repo = await mkdtemp(path.join(tmpdir(), 'longview-cli-'));
    await writeFile(path.join(repo, 'a.ts'), 'count();\n');
  });
  suiteTeardown(() => rm(repo, { recursive: true }));

  async function run(connection: FakeConnection, ...flags: string[]) {
    const out: string[] = [];
    const err: string[] = [];
    const command = parseCommand(['ask', '--repo', repo, 'What does it do?', ...flags], '/') as AskCommand;
    const terminal = {
      print: (text: string) => void out.push(text),
      progress: new ProgressLine({ write: (text) => err.push(text) }),
    };
    await runAsk(command, connection, terminal, new AbortController().signal);
    return { out, stdout: out.join(''), stderr: err.join('') };
  }

  test('sends the file list, streams the answer and ends with sources, files and figures', async () => {
    const connection = new FakeConnection({ [ManifestSync.method]: [synced], [Ask.method]: [answered] });
    const { out, stdout, stderr } = await run(connection);
    const [sync] = connection.requests;
    const { upserts } = sync?.params as { upserts: { path: string }[] };
    assert.deepEqual(
      upserts.map((entry) => entry.path),
      ['a.ts'],
    );
    assert.deepEqual(out.slice(0, 2), ['It ', 'counts.'], 'as it comes');
    assert.match(stdout, /a\.ts:3-9 {2}verified\n {2}b\.ts:1 {2}not verified\n/);
    assert.match(stdout, /38 of 412 files, 3,912 tokens; 374 left out: 370 no room, 4 binary\n/);
    assert.match(stdout, /TTFT 1\.9s\n/);
    assert.match(stdout, /90 of 3,990 prompt tokens reused/);
    assert.match(stdout, /Note: Something was done in a lesser way\./);
    assert.match(stderr, /Prefill 50% of 3,990 tokens, 3\.1s left/);
  });

  test('--attach counts before it asks, says what it takes, and sends files and folders by their places', async () => {
    await mkdir(path.join(repo, 'lib'), { recursive: true });
    const counts = [{ tokens: 12 }, { tokens: 1500, files: 3 }];
    const connection = new FakeConnection({
      [ManifestSync.method]: [synced],
      [CountAttachments.method]: [() => ({ result: { counts, neededTokens: 1600, budgetTokens: 3584 } })],
      [Ask.method]: [answered],
    });
    const { stderr } = await run(connection, '--attach', 'lib', '--attach', path.join(repo, 'a.ts'));
    const attachments = [
      { kind: 'folder', path: 'lib' },
      { kind: 'file', path: 'a.ts' },
    ];
    for (const { params } of connection.requests.slice(1)) {
      assert.deepEqual((params as { attachments: unknown }).attachments, attachments);
    }
    assert.match(stderr, /Attached lib: 12 tokens\n/);
    assert.match(stderr, /Attached a\.ts: 3 files, 1,500 tokens\n/);
  });

  test('--attach is refused before the question is sent when it does not fit or is not there', async () => {
    const connection = new FakeConnection({
      [ManifestSync.method]: [synced, synced, synced],
      [CountAttachments.method]: [
        () => ({ result: { counts: [{ tokens: 5000 }], neededTokens: 5100, budgetTokens: 3584 } }),
      ],
    });
    await assert.rejects(run(connection, '--attach', 'a.ts'), (error) => {
      assert.ok(error instanceof ServerError);
      assert.match(error.message, /needs 5,100 tokens; 3,584 fit\./);
      return error.data.code === 'promptTooLong';
    });
    await assert.rejects(run(connection, '--attach', 'none.ts'), /--attach none\.ts: there is no such file/);
    await assert.rejects(run(connection, '--attach', '../..'), UsageError);
  });

  suite('--compare', () => {
    const both = () => {
      const sparse = { strategy: 'tiles', quality: 'balanced', density: 0.069 } as const;
      const record = { ...RESULT.record, ttftMs: 900, attention: 'sample' as const, sparse };
      const sample = () => ({ events: [], result: { ...RESULT, answer: 'It adds.', record } });
      return new FakeConnection({ [ManifestSync.method]: [synced], [Ask.method]: [sample, answered] });
    };

    test('asks with sample attention, then with dense, and shows both measurements', async () => {
      const connection = both();
      const { stdout } = await run(connection, '--compare');
      const asked = connection.requests.slice(1).map(({ params }) => params as AskParams);
      assert.deepEqual(
        asked.map(({ options }) => options.attention),
        ['sample', 'dense'],
      );
      assert.deepEqual({ ...asked[0], options: 0 }, { ...asked[1], options: 0 }, 'the same prompt');
      assert.match(stdout, /Sample attention[\s\S]*Dense attention\s+It counts\./);
      assert.match(stdout, /TTFT +0\.9s +1\.9s\n/);
      assert.match(stdout, /keys read +6% +100%\nThe answers differ\./);
    });

    test('is one object with --json', async () => {
      const { stdout } = await run(both(), '--compare', '--json');
      const { sample, dense } = JSON.parse(stdout) as Record<string, { answer: string; attention: string }>;
      assert.deepEqual([sample?.answer, sample?.attention], ['It adds.', 'sample']);
      assert.deepEqual([dense?.answer, dense?.attention], ['It counts.', 'dense']);
    });

    test('leaves no choice of attention', () => {
      const parse = () => parseCommand(['ask', 'x', '--compare', '--attention', 'dense'], '/');
      assert.throws(parse, UsageError);
    });
  });

  test('--json is one object and nothing else on stdout', async () => {
    const connection = new FakeConnection({ [ManifestSync.method]: [synced], [Ask.method]: [answered] });
    const { stdout } = await run(connection, '--json');
    const report = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(report['answer'], 'It counts.');
    assert.equal(report['ttftMs'], 1850.5);
    for (const field of [
      ...['citations', 'promptTokens', 'cachedTokens', 'stagesMs', 'decodeTokensPerSecond'],
      ...['included', 'excluded', 'backend', 'model'],
    ])
      assert.ok(field in report, field);
  });

  test('a missing model is downloaded, its third party named, and the question asked again', async () => {
    const missing = () => {
      throw new ServerError('gone', { code: 'modelMissing', action: 'Get it.', details: { id: 'm-1' } });
    };
    const downloaded = () => ({
      events: [
        { kind: 'sourceFailed', name: 'hub', reason: 'no answer within 5 s' },
        { kind: 'source', name: 'some-wheels 1.0', thirdParty: true },
        { kind: 'progress', receivedBytes: 50e6, totalBytes: 100e6 },
      ],
      result: { path: '/m' },
    });
    const connection = new FakeConnection({
      [ManifestSync.method]: [synced],
      [Ask.method]: [missing, answered],
      [DownloadModel.method]: [downloaded],
    });
    const { stdout, stderr } = await run(connection);
    assert.match(stdout, /It counts\./);
    assert.match(stderr, /hub cannot be used: no answer within 5 s/);
    assert.match(stderr, /packages of third parties: some-wheels 1\.0/);
    assert.match(stderr, /\[############------------\] 50% of 100 MB/);
  });

  test('other failures are passed on', async () => {
    const connection = new FakeConnection({
      [ManifestSync.method]: [synced],
      [Ask.method]: [
        () => {
          throw new ServerError('no kernels', { code: 'attentionUnavailable', action: 'Use dense.' });
        },
      ],
    });
    await assert.rejects(run(connection), /no kernels/);
  });

  test('a repository that is no folder is wrong usage', async () => {
    const command = parseCommand(['ask', '--repo', '/no/such/place', 'x?'], '/') as AskCommand;
    const terminal = { print: () => undefined, progress: new ProgressLine({ write: () => undefined }) };
    await assert.rejects(
      runAsk(command, new FakeConnection({}), terminal, new AbortController().signal),
      (error) => error instanceof UsageError && error.message.includes('/no/such/place'),
    );
  });

  test('files that may hold a secret are named by rule and line, and sent only when that is said', async () => {
    const secrets = [
      { rule: 'aws', line: 3 },
      { rule: 'github', line: 9 },
    ];
    const excluded = [{ path: 'a.env', reason: 'secret' as const, secrets }];
    const inclusion = { ...RESULT.inclusion, excluded, excludedByReason: { secret: 1 } };
    const answers = () => ({
      [ManifestSync.method]: [synced],
      [Ask.method]: [() => ({ result: { ...RESULT, inclusion } })],
    });
    const holding = new FakeConnection(answers());
    const { stdout } = await run(holding);
    assert.match(
      stdout,
      /1 left out: may hold a secret\nHeld back[^\n]*--allow-secrets\):\n {2}a\.env: aws in line 3, github in line 9\n/,
    );
    assert.ok(!holding.requests.some(({ method }) => method === SetContextChoices.method));
    const allowing = new FakeConnection(answers());
    await run(allowing, '--allow-secrets');
    assert.deepEqual(allowing.requests.map(({ method }) => method).slice(1), [
      SetContextChoices.method,
      Ask.method,
    ]);
    assert.deepEqual(allowing.requests[1]?.params, { ...NO_CHOICES, allowAllSecrets: true });
  });

  test('an inclusion of everything leaves nothing out', () => {
    const all = { ...RESULT.inclusion, totalFiles: 38, excluded: [], excludedByReason: {} };
    assert.equal(inclusionLine(all), '38 of 38 files, 3,912 tokens');
  });
});

suite('ProgressLine', () => {
  test('phases that run side by side do not fill a log', () => {
    const written: string[] = [];
    const line = new ProgressLine({ write: (text) => written.push(text) });
    for (const percent of [0, 10, 20, 30]) {
      line.update('Pack', `${percent}%`, percent / 100);
      line.update('Load', `${percent}%`, percent / 100);
    }
    assert.deepEqual(written, ['Pack 0%\n', 'Load 0%\n', 'Pack 30%\n', 'Load 30%\n']);
  });

  test('rewrites one line on a terminal, cut to its width', () => {
    const written: string[] = [];
    const line = new ProgressLine({ isTTY: true, columns: 12, write: (text) => written.push(text) });
    line.update('Prefill', '62% of many tokens');
    line.note('kept');
    line.clear();
    assert.deepEqual(written, ['\r\u001b[KPrefill 62%', '\r\u001b[K', 'kept\n']);
  });

  test('prints a line for each phase and each quarter elsewhere', () => {
    const written: string[] = [];
    const line = new ProgressLine({ write: (text) => written.push(text) });
    for (let percent = 0; percent <= 100; percent++) line.update('Load', `${percent}%`, percent / 100);
    line.update('Prefill');
    assert.deepEqual(written, [
      'Load 0%\n',
      'Load 25%\n',
      'Load 50%\n',
      'Load 75%\n',
      'Load 100%\n',
      'Prefill\n',
    ]);
  });
});
