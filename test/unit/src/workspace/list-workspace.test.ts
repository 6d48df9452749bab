import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { listFiles } from '../../../../src/workspace/list-files';
import { listWorkspace } from '../../../../src/workspace/list-workspace';
import type { WorkspaceProblem } from '../../../../src/workspace/problem';
import { ripgrepPath } from '../../../../src/workspace/ripgrep';
import { nameRoots } from '../../../../src/workspace/roots';
import { asOrdinaryUser } from '../../support/permissions';
import { Scratch } from './scratch';

suite('list-workspace', () => {
  const made: Scratch[] = [];
  const scratch = (files: Record<string, string>) => {
    const one = new Scratch(files);
    made.push(one);
    return one;
  };
  teardown(() => {
    for (const one of made.splice(0)) one.remove();
  });

  async function list(folders: string[], exclude: string[] = [], signal = new AbortController().signal) {
    const problems: WorkspaceProblem[] = [];
    const scope = { roots: nameRoots(folders.map((path) => ({ path }))), exclude };
    const found: string[] = [];
    for await (const batch of listWorkspace(scope, (problem) => problems.push(problem), signal)) {
      for (const entry of batch)
        found.push(scope.roots.length > 1 ? `${entry.root}:${entry.path}` : entry.path);
    }
    return { found: found.sort(), problems };
  }

  test('lists hidden files, never .git, with size and time', async () => {
    const repo = scratch({
      'a.ts': 'abc',
      '.github/ci.yml': 'x',
      '.git/config': 'x',
      'sub/.git': 'gitdir: x',
    });
    assert.deepEqual((await list([repo.root])).found, ['.github/ci.yml', 'a.ts']);
    const scope = { roots: nameRoots([{ path: repo.root }]), exclude: ['.github'] };
    for await (const batch of listWorkspace(scope, () => undefined, new AbortController().signal)) {
      const mtimeMs = fs.statSync(repo.at('a.ts')).mtimeMs;
      assert.deepEqual(batch, [{ root: 0, path: 'a.ts', sizeBytes: 3, mtimeMs }]);
    }
  });

  test('honours nested, negated and local ignore files with and without a repository', async () => {
    const files = {
      '.gitignore': '*.log\nout/\n',
      'sub/.gitignore': '!keep.log\nsecret.txt\n',
      '.ignore': 'drafts\n',
      'a.log': '',
      'out/x.js': '',
      'drafts/d.md': '',
      'sub/keep.log': '',
      'sub/secret.txt': '',
      'sub/b.ts': '',
    };
    const kept = ['.gitignore', '.ignore', 'sub/.gitignore', 'sub/b.ts', 'sub/keep.log'];
    assert.deepEqual((await list([scratch(files).root])).found, kept);
    const repo = scratch({
      ...files,
      '.git/info/exclude': 'sub/b.ts\n',
      '.git/HEAD': 'ref: refs/heads/main',
    });
    assert.deepEqual(
      (await list([repo.root])).found,
      kept.filter((name) => name !== 'sub/b.ts'),
    );
  });

  test('what is ignored here and brought back there: .ignore over .gitignore, nearer over farther, leaving out over all', async () => {
    const repo = scratch({
      '.git/HEAD': 'x',
      '.gitignore': 'gen/\n*.key\n',
      // Only for tools that search: ripgrep lets it win over .gitignore.
      '.ignore': '!gen/\n!c.key\n',
      'gen/a.ts': '',
      'gen/b.csv': '',
      'gen/deep/.gitignore': '*.md\n!keep.md\n',
      'gen/deep/drop.md': '',
      'gen/deep/keep.md': '',
      'c.key': '',
      'd.key': '',
      'sub/.gitignore': '!e.key\n',
      'sub/e.key': '',
      '.longviewignore': 'c.key\n!d.key\n',
    });
    const found = (await list([repo.root], ['*.csv', '!d.key'])).found.filter(
      (name) => !name.endsWith('ignore'),
    );
    assert.deepEqual(found, ['gen/a.ts', 'gen/deep/keep.md', 'sub/e.key']);
  });

  test('a sparse checkout lists what is checked out, without a problem', async function () {
    const repo = scratch({ 'in/a.ts': 'x', 'out/b.ts': 'x', 'top.ts': 'x' });
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', '-C', repo.root, ...args], {
        stdio: 'ignore',
      });
    try {
      git('init', '--quiet');
    } catch {
      // No git on this machine: what it leaves on disk is tested with files that are gone elsewhere.
      this.skip();
    }
    git('add', '.');
    git('commit', '--quiet', '-m', 'all');
    git('sparse-checkout', 'set', 'in');
    assert.deepEqual(await list([repo.root]), { found: ['in/a.ts', 'top.ts'], problems: [] });
    git('sparse-checkout', 'disable');
    assert.deepEqual((await list([repo.root])).found, ['in/a.ts', 'out/b.ts', 'top.ts']);
  });

  test('a subfolder of a repository obeys the ignore files above it; a plain folder does not', async () => {
    const repo = scratch({ '.gitignore': '*', '.git/HEAD': 'x', 'sub/a.ts': '' });
    assert.deepEqual((await list([repo.at('sub')])).found, []);
    repo.remove('.git');
    assert.deepEqual((await list([repo.at('sub')])).found, ['a.ts']);
  });

  test('lists a submodule by its own rules', async () => {
    const repo = scratch({
      '.git/HEAD': 'x',
      '.gitignore': '*.gen',
      'lib/.git': 'gitdir: ../.git/modules/lib',
    });
    repo.write('lib/a.gen', '');
    repo.write('lib/b.ts', '');
    assert.deepEqual((await list([repo.root])).found, ['.gitignore', 'lib/a.gen', 'lib/b.ts']);
  });

  test('leaves out what the settings exclude', async () => {
    const repo = scratch({ 'a.ts': '', 'a.snap': '', 'data/x.csv': '', 'data/keep.csv': '' });
    assert.deepEqual((await list([repo.root], ['*.snap', 'data/*', '!data/keep.csv'])).found, [
      'a.ts',
      'data/keep.csv',
    ]);
  });

  test('does not follow symbolic links', async () => {
    const outside = scratch({ 'secret.txt': 'x' });
    const repo = scratch({ 'a.ts': '' });
    fs.symlinkSync(outside.root, repo.at('link'));
    fs.symlinkSync(outside.at('secret.txt'), repo.at('secret.txt'));
    fs.symlinkSync(repo.root, repo.at('loop'));
    assert.deepEqual((await list([repo.root])).found, ['a.ts']);
  });

  test('takes names with newlines, emoji, spaces and right-to-left text', async () => {
    const names = ['a\nb.ts', 'ש.ts', '🚀 x.ts', '..dots', ' lead', 'back\\slash', '-dash', '#hash', '!bang'];
    const repo = scratch(Object.fromEntries(names.map((name) => [name, ''])));
    assert.deepEqual((await list([repo.root], ['*.none'])).found, [...names].sort());
  });

  test('reports a root that is gone or is a file, and lists the others', async () => {
    const repo = scratch({ 'a.ts': '' });
    const { found, problems } = await list([repo.at('gone'), repo.root, repo.at('a.ts')]);
    assert.deepEqual(found, ['1:a.ts']);
    assert.deepEqual(
      problems.map((problem) => problem.root),
      [repo.at('gone'), repo.at('a.ts')],
    );
    assert.match(problems[0]!.message, /cannot be opened/);
  });

  test('reports a folder that may not be read, and lists the rest', async () => {
    const repo = scratch({ 'a.ts': '', 'locked/b.ts': '' });
    fs.chmodSync(repo.root, 0o755);
    fs.chmodSync(repo.at('locked'), 0);
    // Nobody may not look into the folders of a superuser, where ripgrep may lie.
    const ripgrep = scratch({});
    fs.chmodSync(ripgrep.root, 0o755);
    fs.copyFileSync(await ripgrepPath(), ripgrep.at('rg'));
    const problems: WorkspaceProblem[] = [];
    const found: string[] = [];
    await asOrdinaryUser(async () => {
      const { signal } = new AbortController();
      for await (const paths of listFiles(
        ripgrep.at('rg'),
        repo.root,
        (problem) => problems.push(problem),
        signal,
      ))
        found.push(...paths);
    });
    fs.chmodSync(repo.at('locked'), 0o755);
    assert.deepEqual(found, ['a.ts']);
    assert.match(problems[0]!.message, /locked.*[Pp]ermission denied/);
  });

  test('lists a root inside another root once', async () => {
    const repo = scratch({ 'a.ts': '', 'inner/b.ts': '' });
    assert.deepEqual((await list([repo.root, repo.at('inner')])).found, ['0:a.ts', '1:b.ts']);
  });

  test('no folder: nothing, and no error', async () => {
    assert.deepEqual(await list([]), { found: [], problems: [] });
  });

  test('stops when aborted', async () => {
    const repo = scratch({ 'a.ts': '' });
    const controller = new AbortController();
    controller.abort(new Error('enough'));
    await assert.rejects(list([repo.root], [], controller.signal), /enough/);
  });
});
