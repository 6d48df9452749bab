import assert from 'node:assert/strict';
import type { Attachment, ManifestEntry } from '../../../../protocol';
import type { PackRequest } from '../../../../server/context/context-service';
import { ContextServiceImpl } from '../../../../server/context/context-service-impl';
import { CancelledError, LongviewError } from '../../../../server/errors';
import { charModel } from '../prompt/fakes';
import { FakeSource } from './fake-source';

const folders = { grammars: 'node_modules/@vscode/tree-sitter-wasm/wasm' };

suite('context-service-impl', () => {
  let source: FakeSource;
  let service: ContextServiceImpl;
  let model: ReturnType<typeof charModel>;
  let revision: number;
  setup(() => {
    source = new FakeSource();
    model = charModel();
    revision = 0;
    service = new ContextServiceImpl(source, () => Promise.resolve(model), folders);
  });

  /** Writes the files and sends the list of all that there are. */
  async function open(files: Record<string, string | Uint8Array>, roots = ['/w']) {
    for (const [path, content] of Object.entries(files)) source.put(path, content);
    const upserts: ManifestEntry[] = [...source.files].map(([path, { bytes, mtimeMs }]) => {
      const root = roots.findIndex((dir) => path.startsWith(`${dir}/`));
      return { root, path: path.slice(roots[root]!.length + 1), sizeBytes: bytes.length, mtimeMs };
    });
    return service.sync({
      mode: 'full',
      revision: ++revision,
      last: true,
      roots: roots.map((path) => ({ name: path.slice(path.lastIndexOf('/') + 1), path })),
      upserts,
      removals: [],
    });
  }
  function ask(question: string, changes: Partial<PackRequest> = {}, signal = new AbortController().signal) {
    const request = {
      question,
      history: [],
      attachments: [],
      modelPath: 'm',
      budgetTokens: 4096,
      ...changes,
    };
    return service.pack(request, () => undefined, signal);
  }
  const promptOf = async (question: string, changes: Partial<PackRequest> = {}) =>
    model.tokenizer.decode((await ask(question, changes)).tokenIds);
  const code = (error: unknown) => (error instanceof LongviewError ? error.code : String(error));

  test('no folder and an empty repository are errors that say what to do', async () => {
    await assert.rejects(ask('?'), (error) => code(error) === 'noWorkspace');
    await open({});
    await assert.rejects(ask('?'), (error) => code(error) === 'emptyRepository');
    await open({ '/w/a.png': 'x', '/w/b': new Uint8Array([0]), '/w/c.ts': '' });
    await assert.rejects(ask('?'), (error) => {
      assert.ok(error instanceof LongviewError);
      assert.match(error.message, /^\/w holds no file that can be read as text \(2 binary, 1 empty\)/);
      assert.match(error.action, /^Open a folder/);
      return error.code === 'emptyRepository';
    });
  });

  test('every kind of file that is left out is named', async () => {
    source.broken.add('/w/secret.ts');
    await open({
      '/w/a.ts': 'let a;\n',
      '/w/b.png': 'x',
      '/w/yarn.lock': 'x',
      '/w/c.pb.go': 'x',
      '/w/d.min.js': 'x',
      '/w/e.txt': new Uint8Array(1024 * 1024 + 1).fill(65),
      '/w/f.txt': new Uint8Array([0xe9]),
      '/w/g.ts': '',
      '/w/secret.ts': 'x',
    });
    const { inclusion } = await ask('?');
    assert.equal(inclusion.totalFiles, 9);
    assert.deepEqual(
      inclusion.included.map((file) => file.path),
      ['a.ts'],
    );
    assert.deepEqual(Object.fromEntries(inclusion.excluded.map(({ path, reason }) => [path, reason])), {
      'b.png': 'binary',
      'yarn.lock': 'lockFile',
      'c.pb.go': 'generated',
      'd.min.js': 'minified',
      'e.txt': 'tooLarge',
      'f.txt': 'notUtf8',
      'g.ts': 'empty',
      'secret.ts': 'unreadable',
    });
  });

  test('a second question reads nothing and encodes no file again', async () => {
    await open({ '/w/a.ts': 'let a;\n', '/w/b.ts': 'let b;\n' });
    const first = await ask('one?');
    const { reads, encodeCalls } = { reads: source.reads.length, encodeCalls: model.tokenizer.encodeCalls };
    const second = await ask('one?');
    assert.deepEqual(second.tokenIds, first.tokenIds);
    assert.equal(source.reads.length, reads);
    assert.ok(model.tokenizer.encodeCalls - encodeCalls < encodeCalls);
  });

  test('another model encodes anew', async () => {
    await open({ '/w/a.ts': 'let a;\n' });
    await ask('?');
    model = { ...charModel(), identity: 'other' };
    await ask('?');
    assert.ok(model.tokenizer.encodeCalls > 3);
  });

  test('edits on disk, deltas and unsaved text show in the next prompt', async () => {
    await open({ '/w/a.ts': 'version one\n', '/w/b.ts': 'stays\n' });
    assert.match(await promptOf('?'), /version one/);
    source.put('/w/a.ts', 'version two\n');
    assert.match(await promptOf('?'), /version two/, 'packed files are as they are now');
    const result = await service.sync({
      mode: 'delta',
      revision: ++revision,
      last: true,
      roots: [],
      upserts: [],
      removals: [{ root: 0, path: 'b.ts' }],
    });
    assert.deepEqual(result, { resync: false, files: 1 });
    assert.doesNotMatch(await promptOf('?'), /stays/);
    await service.overlay({ root: 0, path: 'a.ts', text: 'unsaved three\n' });
    assert.match(await promptOf('?'), /unsaved three/);
    await service.overlay({ root: 0, path: 'a.ts', text: null });
    assert.match(await promptOf('?'), /version two/);
  });

  test('unsaved text of an ignored file stays out, and goes with its root', async () => {
    await open({ '/w/a.ts': 'disk\n' });
    await service.overlay({ root: 0, path: 'ignored.ts', text: 'private\n' });
    await service.overlay({ root: 0, path: 'a.ts', text: 'unsaved\n' });
    assert.doesNotMatch(await promptOf('?'), /private/);
    source.files.clear();
    await open({ '/v/a.ts': 'other root\n' }, ['/v']);
    assert.match(await promptOf('?'), /other root/);
  });

  test('the base is what every prompt begins with, and an edit early in it is appended while it is held', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [`/w/f${i}.ts`, `${'x'.repeat(250)} ${i}\n`]),
    );
    await open(files);
    const { signal } = new AbortController();
    const base = await service.packBase({ modelPath: 'm', budgetTokens: 4096 }, signal);
    const prompt = await ask('why?');
    assert.deepEqual(prompt.tokenIds.slice(0, base.tokenIds.length), base.tokenIds);
    assert.equal(base.spans.at(-1)?.label.kind, 'file');
    assert.ok(base.tokenIds.length > 2500);

    source.put('/w/f1.ts', 'let edited = true;\n');
    const held = { held: [prompt.tokenIds] };
    const edited = await ask('and now?', held);
    assert.deepEqual(edited.inclusion.newerVersions, ['f1.ts']);
    assert.deepEqual(edited.tokenIds.slice(0, base.tokenIds.length), base.tokenIds);
    const again = await service.packBase({ modelPath: 'm', budgetTokens: 4096 }, signal);
    assert.match(
      model.tokenizer.decode(again.tokenIds),
      /let edited = true;\n<\/file>\n$/,
      'its place is the last',
    );
    const canonical = await ask('and now?', { held: [prompt.tokenIds, again.tokenIds] });
    assert.deepEqual(canonical.inclusion.newerVersions, []);
  });

  test('a delta out of turn asks for the whole list', async () => {
    const delta = { mode: 'delta' as const, last: true, roots: [], upserts: [], removals: [] };
    assert.equal((await service.sync({ ...delta, revision: 1 })).resync, true);
    await open({ '/w/a.ts': 'x' });
    assert.equal((await service.sync({ ...delta, revision: 9 })).resync, true);
  });

  test('several roots with the same file', async () => {
    await open({ '/w/app/x.ts': 'in app\n', '/w/lib/x.ts': 'in lib\n' }, ['/w/app', '/w/lib']);
    const prompt = await promptOf('?');
    assert.match(prompt, /<file path="app\/x.ts">\nin app\n<\/file>\n<file path="lib\/x.ts">\nin lib\n/);
  });

  test('the file that a question is about is found among many', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [
        `/w/m${i}/f.ts`,
        `export const VALUE_OF_M${i} = ${i * 7};\n`.repeat(8),
      ]),
    );
    await open(files);
    const { inclusion, packId } = await ask('What is VALUE_OF_M217?');
    assert.equal(inclusion.included.at(-1)?.path, 'm217/f.ts');
    assert.equal(inclusion.totalFiles, 300);
    assert.ok(inclusion.promptTokens <= 4096);
    const citations = await service.cite(packId, 'It is 1519.');
    assert.deepEqual(
      citations.map((citation) => citation.path),
      [],
    );
  });

  test('citations come from the text that was packed, until it is released', async () => {
    await open({ '/w/a.ts': 'const PLANTED_FACT = 42;\n' });
    const { packId } = await ask('What is PLANTED_FACT?');
    source.put('/w/a.ts', 'nothing\n');
    const [found] = await service.cite(packId, 'PLANTED_FACT is 42.');
    assert.deepEqual(found, {
      path: 'a.ts',
      startLine: 1,
      endLine: 1,
      verified: true,
      origin: 'symbol',
      claim: 'PLANTED_FACT',
    });
    service.release(packId);
    await assert.rejects(service.cite(packId, 'x'), (error) => code(error) === 'internal');
  });

  test('attachments: packed, or refused by name', async () => {
    await open({ '/w/a.ts': 'let a;\n', '/w/b.png': 'x' });
    const attach = (...attachments: Attachment[]) => ask('?', { attachments });
    const { inclusion } = await attach({ kind: 'file', path: 'a.ts' }, { kind: 'file', path: 'a.ts' });
    assert.deepEqual(
      inclusion.included.map(({ path, reason }) => [path, reason]),
      [['a.ts', 'attached']],
    );
    for (const path of ['b.png', 'gone.ts', '../outside', '/etc/hostname', '']) {
      await assert.rejects(attach({ kind: 'file', path }), (error) => {
        assert.equal(code(error), 'badRequest');
        assert.ok(error instanceof LongviewError && error.message.includes(`file ${path} `));
        return true;
      });
    }
    const backwards: Attachment = { kind: 'selection', path: 'a.ts', startLine: 3, endLine: 1, text: 'x' };
    await assert.rejects(attach(backwards), (error) => code(error) === 'badRequest');
  });

  test('a question beyond the context is refused with the sizes', async () => {
    await open({ '/w/a.ts': 'let a;\n' });
    await assert.rejects(ask('x'.repeat(9000)), (error) => code(error) === 'promptTooLong');
  });

  test('the packing of ten thousand files can be stopped', async () => {
    await open(
      Object.fromEntries(
        Array.from({ length: 10_000 }, (_, i) => [`/w/d${i % 50}/f${i}.ts`, `let name${i};\n`]),
      ),
    );
    const controller = new AbortController();
    let fraction = 0;
    const packing = service.pack(
      { question: 'name77?', history: [], attachments: [], modelPath: 'm', budgetTokens: 4096 },
      (done) => {
        fraction = done;
        if (done > 0.2) controller.abort();
      },
      controller.signal,
    );
    await assert.rejects(packing, CancelledError);
    assert.ok(fraction < 1);
    const { inclusion } = await ask('name77?');
    assert.equal(inclusion.included.at(-1)?.path, 'd27/f77.ts');
  });

  test('errors of the model pass through', async () => {
    const corrupt = new LongviewError('modelCorrupt', 'cut', 'Download it again.');
    const broken = new ContextServiceImpl(source, () => Promise.reject(corrupt), folders);
    await broken.sync({
      mode: 'full',
      revision: 1,
      last: true,
      roots: [{ name: 'w', path: '/w' }],
      upserts: [],
      removals: [],
    });
    const request = { question: '?', history: [], attachments: [], modelPath: 'm', budgetTokens: 99 };
    await assert.rejects(
      broken.pack(request, () => undefined, new AbortController().signal),
      (error) => code(error) === 'modelCorrupt',
    );
  });
});
