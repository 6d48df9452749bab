import assert from 'node:assert/strict';
import { listWorkspace } from '../../../../src/workspace/list-workspace';
import type { WorkspaceProblem } from '../../../../src/workspace/problem';
import { Scratch } from './scratch';

suite('.longviewignore', () => {
  let scratch: Scratch;
  teardown(() => scratch.remove());

  async function list(files: Record<string, string>, exclude: string[] = []) {
    scratch = new Scratch({ '.git/HEAD': 'ref: x', ...files });
    const problems: WorkspaceProblem[] = [];
    const scope = { roots: [{ name: 'w', path: scratch.root }], exclude };
    const found: string[] = [];
    const { signal } = new AbortController();
    for await (const batch of listWorkspace(scope, (problem) => problems.push(problem), signal)) {
      found.push(...batch.map(({ path }) => path).filter((path) => !path.endsWith('ignore')));
    }
    assert.deepEqual(problems, []);
    return found.sort();
  }

  test('leaves out by the syntax of .gitignore, nested, the nearest file deciding', async () => {
    const found = await list({
      '.longviewignore': '*.csv\n/data/\n# a comment\n',
      'a.csv': 'x',
      'b.ts': 'x',
      'data/c.ts': 'x',
      'sub/data/d.ts': 'x',
      'sub/.longviewignore': '!keep.csv\nprivate.ts\n',
      'sub/keep.csv': 'x',
      'sub/drop.csv': 'x',
      'sub/private.ts': 'x',
      'private.ts': 'x',
    });
    assert.deepEqual(found, ['b.ts', 'private.ts', 'sub/data/d.ts', 'sub/keep.csv']);
  });

  test('a folder that is left out is not brought back from inside of it', async () => {
    const found = await list({
      '.longviewignore': 'vendor/\n',
      'vendor/.longviewignore': '!*\n',
      'vendor/a.ts': 'x',
      'b.ts': 'x',
    });
    assert.deepEqual(found, ['b.ts']);
  });

  test('brings back nothing that .gitignore or the settings leave out', async () => {
    const files = {
      '.gitignore': 'out/\n*.log\n',
      '.longviewignore': '!out/\n!*.log\n!secret.ts\n',
      'out/a.ts': 'x',
      'b.log': 'x',
      'secret.ts': 'x',
      'c.ts': 'x',
    };
    assert.deepEqual(await list(files, ['secret.ts']), ['c.ts']);
  });

  test('names with newlines, emoji and right-to-left text are matched as they are', async () => {
    const found = await list({
      '.longviewignore': '🦭*\nعربي/\n',
      '🦭.ts': 'x',
      'عربي/a.ts': 'x',
      'two\nlines.ts': 'x',
    });
    assert.deepEqual(found, ['two\nlines.ts']);
  });
});
