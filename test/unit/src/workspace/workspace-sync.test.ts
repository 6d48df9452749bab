import assert from 'node:assert/strict';
import type {
  ManifestEntry,
  ManifestSyncParams,
  ManifestSyncResult,
  OverlayParams,
} from '../../../../protocol';
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
  async function open(folders: string[], exclude: string[] = []) {
    const sync = new WorkspaceSync({
      send: server.send,
      sendOverlay: server.sendOverlay,
      report,
      settleMs: 60_000,
    });
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
    const sync = new WorkspaceSync({
      send: server.send,
      sendOverlay: server.sendOverlay,
      report,
      settleMs: 1,
    });
    syncs.push(sync);
    sync.setScope(scopeOf([repo.root]));
    await sync.flush();
    const arrived = new Promise<void>((resolve) => {
      const wait = setInterval(() => {
        if (server.files.get('0:a.ts')!.sizeBytes !== 3) return;
        clearInterval(wait);
        resolve();
      }, 5);
    });
    repo.write('a.ts', '123');
    sync.noteChange('changed', repo.at('a.ts'));
    await arrived;
    assert.equal(server.messages.length, 2);
  });
});
