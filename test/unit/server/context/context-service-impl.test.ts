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
    const { citations } = await service.cite(packId, 'It is 1519.');
    assert.deepEqual(
      citations.map((citation) => citation.path),
      [],
    );
  });

  test('citations come from the text that was packed, until it is released', async () => {
    await open({ '/w/a.ts': 'const PLANTED_FACT = 42;\n' });
    const { packId } = await ask('What is PLANTED_FACT?');
    source.put('/w/a.ts', 'nothing\n');
    const {
      citations: [found],
    } = await service.cite(packId, 'PLANTED_FACT is 42.');
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

  const ARITHMETIC = [
    'const LIMIT = 9;',
    '',
    'export function add(a: number, b: number): number {',
    '  return a + b;',
    '}',
    '',
    'export class Stack {',
    '  push(value: number): void {',
    '    this.values.push(value);',
    '  }',
    '}',
    '',
  ].join('\n');

  test('a folder is all of its text files; what is left out of it is named', async () => {
    await open({
      '/w/src/a.ts': 'let a;\n',
      '/w/src/deep/b.ts': 'let b;\n',
      '/w/src/c.png': 'x',
      '/w/srcs.ts': 'no',
    });
    const attachments: Attachment[] = [{ kind: 'folder', path: 'src/' }];
    const { inclusion, tokenIds } = await ask('?', { attachments });
    const attached = inclusion.included.filter(({ reason }) => reason === 'attached');
    assert.deepEqual(
      attached.map(({ path }) => path),
      ['src/a.ts', 'src/deep/b.ts'],
    );
    assert.match(model.tokenizer.decode(tokenIds), /The question is about: src\/ \(2 files\)\n/);
    const { counts } = await count(attachments);
    assert.deepEqual(counts, [
      {
        tokens: attached.reduce((sum, { tokens }) => sum + tokens, 0),
        files: 2,
        leftOut: [{ path: 'src/c.png', reason: 'binary' }],
      },
    ]);
    for (const path of ['src/deep/deeper', '..', '/etc']) {
      const folder: Attachment = { kind: 'folder', path };
      await assert.rejects(ask('?', { attachments: [folder] }), (error) => code(error) === 'badRequest');
    }
  });

  test('a symbol is its lines as they are now, wherever they have gone', async () => {
    await open({ '/w/a.ts': ARITHMETIC });
    const add: Attachment = { kind: 'symbol', path: 'a.ts', name: 'add', startLine: 3, endLine: 5 };
    const lines = /<file path="a.ts" lines="3-5">\nexport function add[^<]*return a \+ b;\n}\n<\/file>/;
    assert.match(await promptOf('?', { attachments: [add] }), lines);
    await service.overlay({
      root: 0,
      path: 'a.ts',
      text: `// new\n// lines\n${ARITHMETIC.replace('a + b', 'b + a')}`,
    });
    const moved = /<file path="a.ts" lines="5-7">\nexport function add[^<]*return b \+ a;\n}\n<\/file>/;
    assert.match(await promptOf('?', { attachments: [add] }), moved);
    const gone: Attachment = { ...add, name: 'subtract' };
    await assert.rejects(
      ask('?', { attachments: [gone] }),
      /symbol subtract cannot be used: a\.ts does not define/,
    );
    const limit: Attachment = { kind: 'symbol', path: 'a.ts', name: 'LIMIT', startLine: 1, endLine: 1 };
    assert.match(await promptOf('?', { attachments: [limit] }), /lines="3-3">\nconst LIMIT = 9;\n<\/file>/);
  });

  test('an excerpt is fenced, named in the report, and cannot end its own fence', async () => {
    await open({ '/w/a.ts': 'let a;\n' });
    const text = 'a.ts:1:1 error: no\n</problems>\n';
    const problems: Attachment = { kind: 'excerpt', source: 'problems', label: '1 "error"', text };
    const { inclusion, tokenIds } = await ask('?', { attachments: [problems] });
    const shown = '<problems-2 shown="1 &quot;error&quot;">\n' + text + '</problems-2>\n\n';
    assert.ok(model.tokenizer.decode(tokenIds).includes(shown));
    const tokens = shown.length;
    assert.deepEqual(inclusion.excerpts, [{ source: 'problems', label: '1 "error"', tokens }]);
    assert.deepEqual((await count([problems])).counts, [{ tokens }]);
    await assert.rejects(ask('?', { attachments: [{ ...problems, text: ' \n' }] }), /holds no text/);
  });

  function count(attachments: Attachment[], question = '?', budgetTokens = 4096) {
    const request = { question, attachments, modelPath: 'm', budgetTokens };
    return service.countAttachments(request, new AbortController().signal);
  }

  test('what is counted is what a prompt takes: it fits to the token, and not with one more', async () => {
    await open({ '/w/a.ts': ARITHMETIC, '/w/b.ts': 'let b;\n', '/w/c.bin': 'x' });
    const attachments: Attachment[] = [
      { kind: 'file', path: 'a.ts' },
      { kind: 'selection', path: 'b.ts', startLine: 1, endLine: 1, text: 'let b;' },
      { kind: 'symbol', path: 'a.ts', name: 'Stack', startLine: 7, endLine: 11 },
      { kind: 'excerpt', source: 'git', label: 'changes', text: '+ a\n' },
    ];
    const { neededTokens, counts } = await count(attachments, 'why?');
    assert.equal(counts.length, 4);
    const { inclusion } = await ask('why?', { attachments, budgetTokens: neededTokens });
    assert.equal(inclusion.promptTokens, neededTokens);
    assert.equal(
      inclusion.included.find(({ path }) => path === 'b.ts')?.tokens,
      (counts[1] as { tokens: number }).tokens,
    );
    await assert.rejects(
      ask('why?', { attachments, budgetTokens: neededTokens - 1 }),
      (error) => code(error) === 'promptTooLong',
    );
    const mixed = await count([
      { kind: 'file', path: 'c.bin' },
      { kind: 'file', path: 'b.ts' },
    ]);
    assert.match((mixed.counts[0] as { problem: string }).problem, /c\.bin cannot be used: it is binary/);
    assert.ok((mixed.counts[1] as { tokens: number }).tokens > 0);
  });

  test('counting and packing end early when it is far too much', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [`/w/big/f${i}.ts`, `${'x'.repeat(1000)} ${i}\n`]),
    );
    await open(files);
    const attachments: Attachment[] = [{ kind: 'folder', path: 'big' }];
    const { counts, neededTokens } = await count(attachments);
    const [big] = counts as { tokens: number; isLeast: boolean }[];
    assert.equal(big!.isLeast, true);
    assert.ok(big!.tokens > 4 * 4096 && big!.tokens < 5 * 4096 && neededTokens > big!.tokens);
    await assert.rejects(ask('?', { attachments }), /f\d+\.ts.* and \d+ more take more than 1\d{4} tokens/);
  });

  test('finds files, folders and symbols by a part of their names, the closest first', async () => {
    await open({
      '/w/src/stack.ts': ARITHMETIC,
      '/w/src/a/my-stack.ts': 'let b;\n',
      '/w/logo.png': 'x',
      '/w/stack/c.py': 'def stack_up(x):\n    return x\n',
    });
    const find = async (kind: 'file' | 'folder' | 'symbol', query: string, limit = 10) => {
      const { items } = await service.find({ kind, query, limit }, new AbortController().signal);
      return items.map((item) =>
        item.kind === 'symbol' ? `${item.name} ${item.path}:${item.startLine}-${item.endLine}` : item.path,
      );
    };
    assert.deepEqual(await find('file', 'STACK'), ['src/stack.ts', 'src/a/my-stack.ts', 'stack/c.py']);
    assert.deepEqual(await find('file', 'xakt'), []);
    assert.deepEqual(await find('file', 'smst'), ['src/a/my-stack.ts'], 'letters in between may be left out');
    assert.deepEqual(await find('file', 'png'), [], 'a picture is no text');
    assert.deepEqual(await find('folder', 'a'), ['src/a', 'stack']);
    assert.deepEqual(await find('folder', ''), ['src', 'src/a', 'stack']);
    assert.deepEqual(await find('symbol', 'stack'), ['Stack src/stack.ts:7-11', 'stack_up stack/c.py:1-2']);
    assert.deepEqual(await find('symbol', 'push'), ['push src/stack.ts:8-10']);
    assert.deepEqual(await find('symbol', 'limit'), ['LIMIT src/stack.ts:1-1']);
    assert.deepEqual(await find('symbol', '(.*'), []);
    assert.deepEqual(await find('file', '', 2), ['stack/c.py', 'src/stack.ts']);
    const aborted = AbortSignal.abort();
    await assert.rejects(service.find({ kind: 'symbol', query: 'a', limit: 1 }, aborted), CancelledError);
  });

  test('names in backticks lead to where they are defined now; others, and names of files, lead nowhere', async () => {
    await open({
      '/w/stack.ts': ARITHMETIC,
      '/w/other.ts': `import { add } from './stack';\n${'add(1, 2);\n'.repeat(3)}`,
    });
    const { packId } = await ask('What does it do?');
    await service.overlay({ root: 0, path: 'stack.ts', text: `// above\n${ARITHMETIC}` });
    const { symbols } = await service.cite(
      packId,
      'In `stack.ts`, `add()` adds, and `Stack.push` pushes below `LIMIT`. `nothing` and `values` are not; nor is add.\n```\n`Stack`\n```',
    );
    assert.deepEqual(symbols, [
      { name: 'add()', places: [{ path: 'stack.ts', line: 4, symbol: 'add' }] },
      { name: 'Stack.push', places: [{ path: 'stack.ts', line: 9, symbol: 'push' }] },
      { name: 'LIMIT', places: [{ path: 'stack.ts', line: 2, symbol: 'LIMIT' }] },
    ]);
  });

  test('of several definitions those in the file that the answer names are meant; too many lead nowhere', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 9 }, (_, i) => [
        `/w/f${i}.ts`,
        `export function run(): void {\n}\nexport function only${i % 3}(): void {\n}\n`,
      ]),
    );
    await open(files);
    const { packId } = await ask('?');
    const linksOf = async (answer: string) => (await service.cite(packId, answer)).symbols;
    assert.deepEqual(await linksOf('`run` it'), []);
    assert.deepEqual(await linksOf('`run` of f3.ts'), [
      { name: 'run', places: [{ path: 'f3.ts', line: 1, symbol: 'run' }] },
    ]);
    assert.equal((await linksOf('`only2`'))[0]?.places.length, 3);
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
