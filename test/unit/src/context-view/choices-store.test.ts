import assert from 'node:assert/strict';
import { NO_CHOICES } from '../../../../protocol';
import { ChoicesStore } from '../../../../src/context-view/choices-store';

/** What the editor keeps of the workspace, as JSON. */
function memory(initial?: unknown) {
  let stored = initial === undefined ? undefined : JSON.stringify(initial);
  const warnings: string[] = [];
  const keyValues = {
    get: (): unknown => (stored === undefined ? undefined : JSON.parse(stored)),
    update: (_key: string, value: unknown): Promise<void> => {
      stored = JSON.stringify(value);
      return Promise.resolve();
    },
  };
  return { open: () => new ChoicesStore(keyValues, (message) => warnings.push(message)), warnings };
}

suite('choices about the context', () => {
  test('outlive a reload, in path order whenever they were made', () => {
    const { open, warnings } = memory();
    const store = open();
    store.pin('src/b.ts');
    store.pin('src/a.ts');
    store.pin('src/a.ts');
    store.exclude('docs/');
    store.allow({ path: 'a.env', rules: ['aws'] });
    assert.deepEqual(open().current, {
      pinned: ['src/a.ts', 'src/b.ts'],
      excluded: ['docs/'],
      allowedSecrets: [{ path: 'a.env', rules: ['aws'] }],
    });
    assert.deepEqual(warnings, []);
  });

  test('one path has one rule, and each can be taken back', () => {
    const store = memory().open();
    let told = 0;
    store.changed.on(() => told++);
    store.pin('a.ts');
    store.exclude('a.ts');
    assert.equal(store.of('a.ts'), 'excluded');
    assert.deepEqual(store.current.pinned, []);
    store.pin('a.ts');
    assert.equal(store.of('a.ts'), 'pinned');
    assert.deepEqual(store.current.excluded, []);
    store.unpin('a.ts');
    store.exclude('b/');
    store.include('b/');
    assert.deepEqual(store.current, NO_CHOICES);
    assert.equal(told, 6);
  });

  test('to exclude a file takes back that its secrets may be sent; to allow them takes back the exclusion', () => {
    const store = memory().open();
    store.allow({ path: 'a.env', rules: ['aws'] });
    store.allow({ path: 'a.env', rules: ['aws', 'github'] });
    assert.deepEqual(store.current.allowedSecrets, [{ path: 'a.env', rules: ['aws', 'github'] }]);
    store.exclude('a.env');
    assert.deepEqual(store.current.allowedSecrets, []);
    store.allow({ path: 'a.env', rules: ['aws'] });
    assert.deepEqual(store.current.excluded, []);
  });

  test('what cannot be read is left out with a warning', () => {
    const { open, warnings } = memory({ version: 1, pinned: [7], excluded: [], allowedSecrets: [] });
    assert.deepEqual(open().current, NO_CHOICES);
    assert.match(warnings[0]!, /could not be read and are left out/);
  });
});
