import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { PROTOCOL_VERSION } from '../../../protocol';
import {
  askOptionsOf,
  initializationOf,
  LiveSettings,
  readSettings,
  SETTINGS,
  warmthOf,
} from '../../../src/config';

const read = (values: Record<string, unknown>) => readSettings({ get: (key) => values[key] });

suite('settings', () => {
  test('without any: the defaults, and no problem', () => {
    const { settings, problems } = read({});
    assert.deepEqual(problems, []);
    assert.deepEqual(settings, {
      device: 'auto',
      attention: 'auto',
      quality: 'balanced',
      contextTokens: 0,
      maxAnswerTokens: 512,
      temperature: 0,
      topP: 1,
      topK: 0,
      exclude: [],
      cpuThreads: 0,
      prefixCacheGb: 4,
      idleUnloadMinutes: 15,
      prefillPrecision: 'bf16',
      warmPrefix: 'whenIdle',
      statusBarVisible: true,
    });
  });

  test('become the options of a question', () => {
    const { settings } = read({
      model: ' small ',
      contextTokens: 2048,
      seed: 7,
      temperature: 0.5,
      device: 'cpu',
    });
    assert.deepEqual(askOptionsOf(settings), {
      model: 'small',
      device: 'cpu',
      attention: 'auto',
      quality: 'balanced',
      contextTokens: 2048,
      maxAnswerTokens: 512,
      sampling: { temperature: 0.5, topP: 1, topK: 0, seed: 7, stop: [] },
    });
    assert.equal('contextTokens' in askOptionsOf(read({}).settings), false, '0 leaves it to the model');
    assert.equal('seed' in askOptionsOf(read({ seed: null }).settings).sampling, false);
  });

  test('become what a server is started with', () => {
    const { cacheDir, ...rest } = initializationOf(read({ gpu: 1, idleUnloadMinutes: 0.5 }).settings);
    assert.ok(path.isAbsolute(cacheDir));
    assert.deepEqual(rest, {
      protocolVersion: PROTOCOL_VERSION,
      cpuThreads: 0,
      gpu: 1,
      prefillPrecision: 'bf16',
      idleUnloadMinutes: 0.5,
      prefixCacheBytes: 4_000_000_000,
    });
    assert.equal('gpu' in initializationOf(read({}).settings), false);
  });

  test('say when the repository is computed ahead of questions', () => {
    const warmth = (warmPrefix?: string) => warmthOf(read({ warmPrefix }).settings);
    assert.deepEqual(warmth(), { enabled: true, evenWhenBusy: false });
    assert.deepEqual(warmth('always'), { enabled: true, evenWhenBusy: true });
    assert.equal(warmth('off').enabled, false);
  });

  const bad: Record<string, unknown[]> = {
    model: [3, 'models/own.gguf'],
    device: ['gpu', ''],
    attention: ['sparse'],
    quality: ['exact'],
    prefillPrecision: ['int8'],
    contextTokens: [100, 1.5, '4096', -1],
    maxAnswerTokens: [0, 'many'],
    temperature: [-1, 3, Number.NaN],
    topP: [0, 1.1],
    topK: [-1, 0.5],
    seed: [-1, 'x', 1.5],
    exclude: ['*.csv', [3], ['']],
    cpuThreads: [-1, 1000],
    gpu: [-1, 0.5, 'first'],
    idleUnloadMinutes: [-1, 2000, 'never'],
    cacheDir: ['relative/dir', 7],
    prefixCacheGb: [-1, '4', 1001],
    warmPrefix: ['yes', true],
    'statusBar.visible': ['yes'],
  };
  for (const [key, values] of Object.entries(bad)) {
    for (const value of values) {
      test(`${key} cannot be ${JSON.stringify(value)}: the default is used and the user is told`, () => {
        const { settings, problems } = read({ [key]: value });
        assert.deepEqual(settings, read({}).settings);
        assert.equal(problems.length, 1);
        assert.match(problems[0]!.message, new RegExp(`^longview\\.${key} must be .*is used instead\\.$`));
      });
    }
  }

  test('every setting has a test of a bad value', () => {
    assert.deepEqual(Object.keys(bad).sort(), Object.keys(SETTINGS).sort());
  });

  test('package.json declares the same settings with the same defaults', () => {
    const manifest = JSON.parse(fs.readFileSync(path.resolve('package.json'), 'utf8')) as {
      contributes: { configuration: { properties: Record<string, { default: unknown }> }[] };
      capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
    };
    const declared = manifest.contributes.configuration.flatMap(({ properties }) =>
      Object.entries(properties),
    );
    assert.deepEqual(
      Object.fromEntries(declared.map(([key, setting]) => [key, setting.default])),
      Object.fromEntries(
        Object.entries(SETTINGS).map(([key, { fallback }]) => [`longview.${key}`, fallback]),
      ),
    );
    for (const key of manifest.capabilities.untrustedWorkspaces.restrictedConfigurations) {
      assert.ok(
        declared.some(([name]) => name === key),
        key,
      );
    }
  });
});

suite('LiveSettings', () => {
  test('reads again after a change, and reports a problem once', () => {
    const values: Record<string, unknown> = { topK: -1 };
    const listeners: ((change: { affectsConfiguration(section: string): boolean }) => void)[] = [];
    const reports: string[] = [];
    const workspace = {
      getConfiguration: () => ({ get: (key: string) => values[key] }),
      onDidChangeConfiguration: (listener: (typeof listeners)[number]) => {
        listeners.push(listener);
        return { dispose: () => undefined };
      },
    } as unknown as ConstructorParameters<typeof LiveSettings>[0];
    const settings = new LiveSettings(workspace, (problems) =>
      reports.push(...problems.map(({ key }) => key)),
    );
    assert.equal(settings.value.topK, 0);
    assert.equal(settings.value.topK, 0);
    assert.deepEqual(reports, ['topK']);
    const seen: string[] = [];
    settings.onDidChange('longview.exclude', () => seen.push('exclude'));
    values['topK'] = 4;
    for (const listener of listeners) listener({ affectsConfiguration: (section) => section === 'longview' });
    assert.equal(settings.value.topK, 4);
    assert.deepEqual(reports, ['topK']);
    assert.deepEqual(seen, []);
    assert.deepEqual(settings.problems, []);
  });
});
