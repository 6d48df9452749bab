import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type {
  ManifestEntry,
  ManifestSyncParams,
  ManifestSyncResult,
  OverlayParams,
} from '../../../../protocol';
import type { ChangeKind } from '../../../../src/workspace/pending-changes';
import type { WorkspaceProblem } from '../../../../src/workspace/problem';
import { nameRoots } from '../../../../src/workspace/roots';
import { syncOnce, WorkspaceSync } from '../../../../src/workspace/workspace-sync';
import { Scratch } from './scratch';

/** A server that keeps the list as the protocol says, and can lose it. */
class FakeServer {
  readonly files = new Map<string, ManifestEntry>();
  readonly overlays = new Map<string, string | null>();
  readonly messages: ManifestSyncParams[] = [];
  roots: string[] = [];
  failing = false;
  private revision = -1;
  private staged: ManifestEntry[] = [];
  private stagedRevision = -1;

  forget(): void {
    this.revision = -1;
    this.files.clear();
    this.overlays.clear();
  }

  readonly send = (params: ManifestSyncParams): Promise<ManifestSyncResult> => {
    if (this.failing) return Promise.reject(new Error('connection is closed'));
    this.messages.push(params);
    if (params.mode === 'full') {
      if (params.revision !== this.stagedRevision) this.staged = [];
      this.stagedRevision = params.revision;
      this.staged.push(...params.upserts);
      if (!params.last) return Promise.resolve({ resync: false, files: this.files.size });
      this.files.clear();
      for (const entry of this.staged) this.files.set(`${entry.root}:${entry.path}`, entry);
      this.roots = params.roots.map((root) => root.name);
      this.staged = [];
    } else {
      if (params.revision !== this.revision + 1) {
        return Promise.resolve({ resync: true, files: this.files.size });
      }
      for (const entry of params.upserts) this.files.set(`${entry.root}:${entry.path}`, entry);
      for (const gone of params.removals) assert.ok(this.files.delete(`${gone.root}:${gone.path}`));
    }
    this.revision = params.revision;
    return Promise.resolve({ resync: false, files: this.files.size });
  };

  readonly sendOverlay = ({ root, path, text }: OverlayParams): Promise<void> => {
    if (this.failing) return Promise.reject(new Error('connection is closed'));
    this.overlays.set(`${root}:${path}`, text);
    return Promise.resolve();
  };

  names(): string[] {
    return [...this.files.keys()].map((key) => key.slice(2)).sort();
  }
}

suite('workspace-sync', () => {
  const made: Scratch[] = [];
  const syncs: WorkspaceSync[] = [];
  let server: FakeServer;
  let problems: WorkspaceProblem[];
  const report = (problem: WorkspaceProblem) => void problems.push(problem);

  setup(() => {
    server = new FakeServer();
    problems = [];
  });
  teardown(() => {
    for (const sync of syncs.splice(0)) sync.dispose();
    for (const one of made.splice(0)) one.remove();
  });

  const scratch = (files: Record<string, string>) => {
    const one = new Scratch(files);
    made.push(one);
    return one;
  };
  const scopeOf = (folders: string[], exclude: string[] = []) => ({
    roots: nameRoots(folders.map((path) => ({ path }))),
    exclude,
  });
  const options = () => ({ send: server.send, sendOverlay: server.sendOverlay, report });
  /** The test's own limit is the limit. */
  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  async function open(folders: string[], exclude: string[] = []) {
    const sync = new WorkspaceSync({ ...options(), settleMs: 60_000 });
    syncs.push(sync);
    sync.setScope(scopeOf(folders, exclude));
    await sync.flush();
    return sync;
  }

  test('syncOnce sends everything in pieces that end with last', async () => {
    const files = Object.fromEntries(Array.from({ length: 5200 }, (_, i) => [`d${i % 40}/f${i}`, '']));
    const scope = scopeOf([scratch(files).root]);
    const count = await syncOnce(scope, { send: server.send, report, signal: new AbortController().signal });
    assert.equal(count, 5200);
    assert.equal(server.files.size, 5200);
    assert.deepEqual(
      server.messages.map(({ last, revision, upserts }) => [last, revision, upserts.length]),
      [
        [false, 1, 5000],
        [true, 1, 200],
      ],
    );
  });

  test('no folder sends an empty list without roots', async () => {
    await open([]);
    assert.equal(server.messages.length, 1);
    assert.deepEqual(server.roots, []);
    assert.deepEqual(problems, []);
  });

  test('several roots, one of them gone', async () => {
    const one = scratch({ 'lib/a.ts': '' });
    await open([one.at('lib'), one.at('x/lib')]);
    assert.deepEqual(server.roots, ['lib', 'lib-2']);
    assert.deepEqual(server.names(), ['a.ts']);
    assert.equal(problems.length, 1);
  });

  test('created, changed and deleted files arrive as one delta', async () => {
    const repo = scratch({ 'a.ts': '1', 'b.ts': '1', 'c.ts': '1' });
    const sync = await open([repo.root]);
    repo.write('a.ts', '1234');
    repo.remove('b.ts');
    repo.write('new/d.ts', '');
    sync.noteChange('changed', repo.at('a.ts'));
    sync.noteChange('deleted', repo.at('b.ts'));
    sync.noteChange('created', repo.at('new/d.ts'));
    await sync.flush();
    assert.deepEqual(server.names(), ['a.ts', 'c.ts', 'new/d.ts']);
    assert.equal(server.files.get('0:a.ts')!.sizeBytes, 4);
    assert.equal(server.messages.length, 2);
    assert.deepEqual(server.messages[1]!.upserts.map((entry) => entry.path).sort(), ['a.ts', 'new/d.ts']);
    assert.equal(sync.files, 3);
  });

  test('a renamed and a deleted folder move all their files', async () => {
    const repo = scratch({ 'old/a.ts': '', 'old/deep/b.ts': '', 'olden/c.ts': '' });
    const sync = await open([repo.root]);
    repo.write('new/a.ts', '');
    repo.remove('old');
    sync.noteChange('deleted', repo.at('old'));
    sync.noteChange('created', repo.at('new'));
    await sync.flush();
    assert.deepEqual(server.names(), ['new/a.ts', 'olden/c.ts']);
    repo.remove('olden');
    sync.noteChange('deleted', repo.at('olden'));
    await sync.flush();
    assert.deepEqual(server.names(), ['new/a.ts']);
  });

  test('ignored and unknown files cause no message', async () => {
    const repo = scratch({ '.gitignore': 'out/\n', 'a.ts': '' });
    const sync = await open([repo.root]);
    repo.write('out/x.js', 'x');
    sync.noteChange('created', repo.at('out/x.js'));
    sync.noteChange('changed', repo.at('out/x.js'));
    sync.noteChange('changed', repo.at('.git/HEAD'));
    sync.noteChange('changed', `${repo.root}-other/x`);
    await sync.flush();
    assert.equal(server.messages.length, 1);
  });

  test('a changed ignore file or exclude file changes the list', async () => {
    const repo = scratch({ '.git/HEAD': 'x', 'a.log': '', 'b.ts': '' });
    const sync = await open([repo.root]);
    repo.write('.gitignore', '*.log\n');
    sync.noteChange('created', repo.at('.gitignore'));
    await sync.flush();
    assert.deepEqual(server.names(), ['.gitignore', 'b.ts']);
    repo.write('.git/info/exclude', 'b.ts\n');
    sync.noteChange('changed', repo.at('.git/info/exclude'));
    await sync.flush();
    assert.deepEqual(server.names(), ['.gitignore']);
  });

  test('changed settings and folders list anew', async () => {
    const repo = scratch({ 'a.ts': '', 'b.md': '' });
    const sync = await open([repo.root]);
    sync.setScope(scopeOf([repo.root], ['*.md']));
    await sync.flush();
    assert.deepEqual(server.names(), ['a.ts']);
    sync.setScope(scopeOf([]));
    await sync.flush();
    assert.deepEqual(server.names(), []);
    assert.deepEqual(server.roots, []);
  });

  test('a root that is deleted while open empties the list and is reported', async () => {
    const repo = scratch({ 'a.ts': '', 'b/c.ts': '' });
    const sync = await open([repo.root]);
    repo.remove();
    sync.noteChange('deleted', repo.at('a.ts'));
    sync.noteChange('deleted', repo.at('b'));
    await sync.flush();
    assert.deepEqual(server.names(), []);
  });

  test('a root that is deleted, and made again, without an event', async () => {
    const repo = scratch({ 'kept/a.ts': '', 'root/a.ts': '1', 'root/b.ts': '1' });
    const sync = await open([repo.at('root'), repo.at('kept')]);
    repo.remove('root');
    await sync.flush();
    assert.deepEqual(server.names(), ['a.ts']);
    assert.match(problems[0]!.message, /root cannot be opened: ENOENT/);
    const told = server.messages.length;
    await sync.flush();
    assert.equal(server.messages.length, told, 'it is told once');
    repo.write('root/a.ts', '1234');
    repo.write('root/c.ts', '');
    await sync.flush();
    assert.deepEqual(server.names(), ['a.ts', 'a.ts', 'c.ts']);
    assert.equal(server.files.get('0:a.ts')!.sizeBytes, 4);
  });

  test('a server that lost the list is sent all of it again', async () => {
    const repo = scratch({ 'a.ts': '', 'b.ts': '' });
    const sync = await open([repo.root]);
    server.forget();
    repo.write('a.ts', '12');
    sync.noteChange('changed', repo.at('a.ts'));
    await sync.flush();
    assert.deepEqual(server.names(), ['a.ts', 'b.ts']);
    assert.equal(server.files.get('0:a.ts')!.sizeBytes, 2);
    server.forget();
    await sync.resend();
    assert.deepEqual(server.names(), ['a.ts', 'b.ts']);
  });

  test('a name that changes its case alone is another file', async () => {
    const repo = scratch({ 'Readme.md': 'x', 'src/A.ts': '' });
    const sync = await open([repo.root]);
    fs.renameSync(repo.at('Readme.md'), repo.at('README.md'));
    fs.renameSync(repo.at('src'), repo.at('Src'));
    sync.noteChange('deleted', repo.at('Readme.md'));
    sync.noteChange('created', repo.at('README.md'));
    sync.noteChange('deleted', repo.at('src'));
    sync.noteChange('created', repo.at('Src'));
    await sync.flush();
    assert.deepEqual(server.names(), ['README.md', 'Src/A.ts']);
  });

  test('a branch switch: files replaced, gone and new, events in any order and some twice', async () => {
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`d${i % 10}/f${i}.ts`, `${i}`]));
    const repo = scratch({ ...files, '.gitignore': 'out/\n', 'out/x.js': '' });
    const sync = await open([repo.root]);
    const events: [ChangeKind, string][] = [];
    const note = (kind: ChangeKind, name: string) => events.push([kind, repo.at(name)]);
    for (const [at, name] of Object.keys(files).entries()) {
      // As git does it: a file that differs is unlinked and written anew.
      note('deleted', name);
      repo.remove(name);
      if (at % 3 === 0) continue;
      repo.write(name, `of the other branch ${at}`);
      note('created', name);
      note('changed', name);
    }
    for (let i = 0; i < 100; i++) {
      repo.write(`new/g${i}.ts`, '');
      note('created', `new/g${i}.ts`);
    }
    repo.write('.gitignore', '*.log\n');
    note('changed', '.gitignore');
    for (const name of ['.git/HEAD', '.git/index', '.git/index.lock']) note('changed', name);
    for (const [at, event] of events.entries()) {
      // Neighbours change places: a watcher joins events of one moment in any order.
      const swapped = events[at ^ 1] ?? event;
      sync.noteChange(...swapped);
    }
    await sync.flush();
    const onDisk = fs
      .readdirSync(repo.root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(repo.root, path.join(entry.parentPath, entry.name)));
    assert.deepEqual(server.names(), onDisk.sort());
    assert.equal(server.names().length, 200 + 100 + 2);
    assert.equal(server.files.get('0:d1/f1.ts')!.sizeBytes, 'of the other branch 1'.length);
    assert.equal(server.messages.length, 2, 'told as one change');
  });

  suite('fifty thousand files that appear at once', function () {
    // Only for what hangs: some disks make a thousand files a second.
    this.timeout(120_000);
    /** In memory where the system has such a folder. */
    const parent = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
    const inMemory = (files: Record<string, string>) => {
      const one = new Scratch(files, parent);
      made.push(one);
      return one;
    };
    const FOLDERS = 50;
    const PER_FOLDER = 1000;
    function storm(repo: Scratch, sync: WorkspaceSync): void {
      for (let folder = 0; folder < FOLDERS; folder++) {
        const name = `node_modules/p${folder}`;
        fs.mkdirSync(repo.at(name), { recursive: true });
        for (let file = 0; file < PER_FOLDER; file++) {
          fs.writeFileSync(repo.at(`${name}/f${file}.js`), '');
          sync.noteChange('created', repo.at(`${name}/f${file}.js`));
          sync.noteChange('changed', repo.at(`${name}/f${file}.js`));
        }
      }
    }

    test('where they are ignored, nothing is sent; what is edited meanwhile is', async () => {
      const repo = inMemory({ '.gitignore': 'node_modules\n', 'a.ts': '' });
      const sync = await open([repo.root]);
      storm(repo, sync);
      repo.write('a.ts', '123');
      sync.noteChange('changed', repo.at('a.ts'));
      await sync.flush();
      assert.deepEqual(
        server.messages
          .slice(1)
          .map(({ upserts, removals }) => [upserts.map((entry) => entry.path), removals]),
        [[['a.ts'], []]],
      );
    });

    test('where they are not, they come in pieces, and go with their folder', async () => {
      const repo = inMemory({ 'a.ts': '' });
      const sync = await open([repo.root]);
      storm(repo, sync);
      await sync.flush();
      assert.equal(server.files.size, FOLDERS * PER_FOLDER + 1);
      assert.ok(server.messages.every(({ upserts }) => upserts.length <= 5000));
      repo.remove('node_modules');
      sync.noteChange('deleted', repo.at('node_modules'));
      await sync.flush();
      assert.deepEqual(server.names(), ['a.ts']);
      assert.ok(server.messages.every(({ removals }) => removals.length <= 5000));
    });
  });

  test('a clock that is set back delays nothing', async () => {
    const repo = scratch({ 'a.ts': '' });
    const sync = new WorkspaceSync({ ...options(), settleMs: 1 });
    syncs.push(sync);
    const realNow = Date.now;
    // Listing seems to take a second each time, and then the clock is set back by a day.
    let daysBack = 0;
    let seconds = 0;
    Date.now = () => realNow() + ++seconds * 1000 - daysBack * 86_400_000;
    try {
      sync.setScope(scopeOf([repo.root]));
      await sync.flush();
      daysBack = 1;
      repo.write('b.ts', '');
      sync.noteChange('created', repo.at('b.ts'));
      await until(() => server.files.size === 2);
    } finally {
      Date.now = realNow;
    }
  });

  test('a lost connection is reported, and the next flush makes up for it', async () => {
    const repo = scratch({ 'a.ts': '' });
    const sync = await open([repo.root]);
    server.failing = true;
    repo.write('b.ts', '');
    sync.noteChange('created', repo.at('b.ts'));
    sync.setOverlay(repo.at('a.ts'), () => 'unsaved');
    await sync.flush();
    assert.match(problems[0]!.message, /connection is closed/);
    server.failing = false;
    await sync.flush();
    assert.deepEqual(server.names(), ['a.ts', 'b.ts']);
    assert.equal(server.overlays.get('0:a.ts'), 'unsaved');
  });

  test('unsaved text is sent, withdrawn, and sent again with new folders', async () => {
    const repo = scratch({ 'x/a.ts': '', 'y/b.ts': '' });
    const sync = await open([repo.at('x')]);
    sync.setOverlay(repo.at('x/a.ts'), () => 'one');
    sync.setOverlay(repo.at('y/b.ts'), () => 'elsewhere');
    await sync.flush();
    assert.deepEqual([...server.overlays], [['0:a.ts', 'one']]);
    server.forget();
    sync.setScope(scopeOf([repo.at('y'), repo.at('x')]));
    await sync.flush();
    assert.deepEqual([...server.overlays].sort(), [
      ['0:b.ts', 'elsewhere'],
      ['1:a.ts', 'one'],
    ]);
    sync.setOverlay(repo.at('x/a.ts'), null);
    await sync.flush();
    assert.equal(server.overlays.get('1:a.ts'), null);
  });

  test('events are gathered before they are sent, without a flush', async () => {
    const repo = scratch({ 'a.ts': '' });
    const sync = new WorkspaceSync({ ...options(), settleMs: 1 });
    syncs.push(sync);
    sync.setScope(scopeOf([repo.root]));
    await sync.flush();
    repo.write('a.ts', '123');
    sync.noteChange('changed', repo.at('a.ts'));
    await until(() => server.files.get('0:a.ts')!.sizeBytes === 3);
    assert.equal(server.messages.length, 2);
  });
});
