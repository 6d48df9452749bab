import assert from 'node:assert/strict';
import type { ChatWelcome, EngineStatus } from '../../../../protocol';
import { WelcomeSource } from '../../../../src/chat/welcome';
import { MODEL } from './samples';

function setUp(overrides: { wantedModel?: string; fails?: boolean; engine?: EngineStatus } = {}) {
  const calls: string[] = [];
  const warnings: string[] = [];
  const source = new WelcomeSource(
    {
      folders: () => ['app'],
      wantedModel: () => overrides.wantedModel,
      engine: () => overrides.engine,
      listFiles: () => {
        calls.push('files');
        return overrides.fails ? Promise.reject(new Error('no server')) : Promise.resolve(412);
      },
      listModels: () => Promise.resolve([MODEL]),
    },
    (message) => warnings.push(message),
  );
  const seen: ChatWelcome[] = [];
  source.changed.on((welcome) => seen.push(welcome));
  return { source, calls, warnings, seen };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

suite('WelcomeSource', () => {
  test('looks at nothing until the view opens, then says what will be read and by which model', async () => {
    const { source, calls, seen } = setUp();
    source.refresh();
    assert.deepEqual(calls, []);
    assert.deepEqual(source.open(), { folders: ['app'] });
    await settled();
    assert.deepEqual(seen.at(-1), {
      folders: ['app'],
      files: 412,
      model: { name: MODEL.name, state: 'missing', bytes: MODEL.bytes },
    });
    assert.equal(source.modelId, 'small');
  });

  test('names a model file of the user by its name', () => {
    const { source } = setUp({ wantedModel: '/models/Own.gguf' });
    assert.deepEqual(source.current.model, { name: 'Own.gguf', state: 'ready', bytes: 0 });
  });

  test('says why no answer is possible', async () => {
    const { source, seen, warnings } = setUp({ fails: true });
    source.open();
    await settled();
    assert.equal(seen.at(-1)?.problem, 'no server');
    assert.deepEqual(warnings, ['no server']);
    const failed = setUp({ engine: { state: 'failed', queued: 0, message: 'out of memory' } });
    assert.equal(failed.source.current.problem, 'out of memory');
  });
});
