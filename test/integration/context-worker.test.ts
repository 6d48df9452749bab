import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writeCorpus } from '../../bench/scale/corpus';
import type { ContextService } from '../../server/context/context-service';
import { createContextService } from '../../server/context/worker-client';
import { CancelledError } from '../../server/errors';
import { openGguf } from '../../server/models/gguf/open-gguf';
import { tokenizerFromMetadata } from '../../server/tokenizer/from-gguf';
import { nameRoots } from '../../src/workspace/roots';
import { syncOnce, WorkspaceSync } from '../../src/workspace/workspace-sync';

/** The real worker thread and the real SmolLM2 tokenizer, on files on disk. */
suite('the context worker', () => {
  const cacheDir =
    process.env.LONGVIEW_CACHE_DIR ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'longview');
  const modelPath = path.join(cacheDir, 'models', 'smollm2-135m-instruct-q4_1', 'model.gguf');
  let dir: string;
  let service: ContextService;
  setup(() => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-context-'));
    service = createContextService({ workerPath: path.resolve('out/context-worker.js') });
  });
  teardown(async () => {
    await service.dispose();
    fs.rmSync(dir, { recursive: true });
  });

  function write(name: string, content: string | Uint8Array): void {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), content);
  }
  const sync = () =>
    syncOnce(
      { roots: nameRoots([{ path: dir }]), exclude: [] },
      {
        send: (params) => service.sync(params),
        report: ({ message }) => assert.fail(message),
        signal: new AbortController().signal,
      },
    );
  const pack = (question: string, budgetTokens: number, signal = new AbortController().signal) =>
    service.pack(
      { question, history: [], attachments: [], modelPath, budgetTokens },
      () => undefined,
      signal,
    );

  test('from files to exact tokens and checked citations', async () => {
    write('.gitignore', 'out/\n');
    write('out/built.js', 'ignored');
    write('logo.png', new Uint8Array([137, 80, 78, 71]));
    write('src/limits.ts', '// <|im_end|> is only text here\nexport const PLANTED_LIMIT = 48213;\n');
    for (let i = 0; i < 60; i++)
      write(`src/other-${i}.ts`, `export const other${i} = '${'word '.repeat(60)}';\n`);
    assert.equal(await sync(), 63);
    const { tokenIds, inclusion, packId } = await pack('What is PLANTED_LIMIT?', 2000);

    assert.equal(tokenIds.length, inclusion.promptTokens);
    assert.ok(tokenIds.length <= 2000 && tokenIds.length > 1800, `${tokenIds.length} tokens`);
    assert.equal(inclusion.totalFiles, 63);
    assert.equal(inclusion.included.find(({ path: name }) => name === 'src/limits.ts')?.detail, undefined);
    assert.ok(inclusion.included.some(({ path: name }) => name === 'src/limits.ts'));
    assert.equal(inclusion.included.length + inclusion.excluded.length, 63);
    assert.equal(inclusion.excludedByReason.binary, 1);

    const file = await openGguf(modelPath);
    const tokenizer = tokenizerFromMetadata(file.metadata);
    await file.close();
    const text = tokenizer.decode(tokenIds);
    assert.match(text, /<file path="src\/limits.ts">\n\/\/ <\|im_end\|> is only text here\n/);
    const [endOfTurn] = tokenizer.encode('<|im_end|>', { parseSpecial: true });
    assert.equal(tokenIds.filter((id) => id === endOfTurn).length, 2, 'one for each message');

    assert.deepEqual((await service.cite(packId, 'PLANTED_LIMIT is 48213.')).citations, [
      {
        path: 'src/limits.ts',
        startLine: 2,
        endLine: 2,
        verified: true,
        origin: 'symbol',
        claim: 'PLANTED_LIMIT',
      },
    ]);
  });

  test('a prefix that the question does not change, token for token', async () => {
    for (let i = 0; i < 5; i++) write(`f${i}.ts`, `export const value${i} = ${i};\n`.repeat(5));
    await sync();
    const one = (await pack('What is value3?', 4000)).tokenIds;
    const two = (await pack('Name all files, please.', 4000)).tokenIds;
    let same = 0;
    while (one[same] === two[same]) same++;
    assert.ok(same > one.length - 20, `${same} of ${one.length} tokens are the same`);
  });

  test('a budget that not everything fits is filled to within 1%, and never exceeded', async () => {
    // More files than are read one by one: threads read them.
    writeCorpus(path.join(dir, 'corpus'), { files: 600, bytes: 6_000_000 });
    fs.cpSync('server', path.join(dir, 'server'), { recursive: true });
    await sync();
    const questions = [
      'Where is the retry of a batch configured?',
      'How does RankingIndex rank?',
      'And why?',
    ];
    for (const budgetTokens of [2048, 4096, 8192, 32_768, 131_072]) {
      for (const question of questions) {
        const { tokenIds, inclusion } = await pack(question, budgetTokens);
        assert.ok((inclusion.excludedByReason.noRoom ?? 0) > 0);
        assert.equal(inclusion.promptTokens, tokenIds.length);
        const unused = budgetTokens - tokenIds.length;
        assert.ok(unused >= 0 && unused <= budgetTokens / 100, `${unused} of ${budgetTokens} are unused`);
      }
    }
  });

  test('packing is stopped while ten thousand files are read, and goes on later', async () => {
    for (let i = 0; i < 10_000; i++) write(`d${i % 100}/f${i}.ts`, `export const name${i} = ${i};\n`);
    await sync();
    const controller = new AbortController();
    const request = { question: 'name4711?', history: [], attachments: [], modelPath, budgetTokens: 2000 };
    await assert.rejects(
      service.pack(request, () => controller.abort(), controller.signal),
      CancelledError,
    );
    const { inclusion } = await pack('What is name4711?', 2000);
    assert.equal(inclusion.included.at(-1)?.path, 'd11/f4711.ts');
    assert.equal(inclusion.totalFiles, 10_000);
  });

  test('names with line ends, emoji and right-to-left text, beside ten thousand empty files and one of 50 MB', async () => {
    const planted = (at: number) => `PLANTED_${'ABCD'[at]}`;
    const names = ['two\nlines.ts', '🦭 seal.ts', 'שלום/עולם.ts', 'src/plain.ts'];
    for (const [at, name] of names.entries()) write(name, `export const ${planted(at)} = ${7000 + at};\n`);
    for (let i = 0; i < 10_000; i++) write(`empty/d${i % 100}/f${i}.ts`, '');
    write('dump.sql', '');
    fs.truncateSync(path.join(dir, 'dump.sql'), 50 * 1024 * 1024);
    assert.equal(await sync(), names.length + 10_001);
    const { inclusion, packId } = await pack('What is PLANTED_A?', 2000);
    assert.deepEqual(inclusion.excludedByReason, { empty: 10_000, tooLarge: 1 });
    assert.deepEqual(inclusion.included.map(({ path: name }) => name).sort(), [...names].sort());
    const claims = names.map((_, at) => `${planted(at)} is ${7000 + at}.`).join(' ');
    const { citations } = await service.cite(packId, claims);
    assert.deepEqual(
      citations.map(({ path: name, startLine, verified }) => [name, startLine, verified]),
      names.map((name) => [name, 1, true]),
    );
  });

  test('a repository of one file of 50 MB, and one of empty files, are named for what they are', async () => {
    write('dump.sql', '');
    fs.truncateSync(path.join(dir, 'dump.sql'), 50 * 1024 * 1024);
    await sync();
    await assert.rejects(pack('What is in it?', 2000), {
      code: 'emptyRepository',
      message: /\(1 too large\)/,
    });
    fs.rmSync(path.join(dir, 'dump.sql'));
    for (let i = 0; i < 10_000; i++) write(`f${i}.ts`, '');
    await sync();
    await assert.rejects(pack('?', 2000), { code: 'emptyRepository', message: /\(10,?000 empty\)/ });
  });

  test('a workspace that is deleted while it is open is named as gone, and read again once it is back', async () => {
    write('repo/a.ts', 'export const PLANTED_A = 7000;\n');
    const problems: string[] = [];
    const repo = path.join(dir, 'repo');
    const files = new WorkspaceSync({
      send: (params) => service.sync(params),
      sendOverlay: (params) => service.overlay(params),
      report: ({ message }) => problems.push(message),
    });
    files.setScope({ roots: nameRoots([{ path: repo }]), exclude: [] });
    try {
      await files.flush();
      assert.equal((await pack('What is PLANTED_A?', 2000)).inclusion.totalFiles, 1);
      fs.rmSync(repo, { recursive: true });
      await files.flush();
      await assert.rejects(pack('What is PLANTED_A?', 2000), {
        code: 'emptyRepository',
        message: `${repo} is not there any more.`,
      });
      assert.match(problems.join(), /cannot be opened: ENOENT/);
      write('repo/b.ts', 'export const PLANTED_B = 7001;\n');
      await files.flush();
      const { inclusion } = await pack('What is PLANTED_B?', 2000);
      assert.deepEqual(
        inclusion.included.map(({ path: name }) => name),
        ['b.ts'],
      );
    } finally {
      files.dispose();
    }
  });

  test('files that are rewritten, deleted and made while they are read: each is one of its states', async () => {
    const stateOf = (at: number, version: number) =>
      `export const state${at} = 'of version ${version} and its ${'x'.repeat(300)}';\n`.repeat(20);
    for (let at = 0; at < 300; at++) write(`f${at}.ts`, stateOf(at, 0));
    await sync();
    let version = 0;
    const over = new AbortController();
    const editing = (async () => {
      while (!over.signal.aborted) {
        version++;
        for (let at = 0; at < 300; at += 3) {
          if (at % 2 === 0) write(`f${at}.ts`, stateOf(at, version));
          else fs.rmSync(path.join(dir, `f${at}.ts`), { force: true });
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const { inclusion, tokenIds } = await pack('What is state299?', 6000).finally(() => over.abort());
    await editing;
    assert.equal(tokenIds.length, inclusion.promptTokens);
    assert.equal(inclusion.totalFiles, 300);
    const file = await openGguf(modelPath);
    const text = tokenizerFromMetadata(file.metadata).decode(tokenIds);
    await file.close();
    const blocks = [...text.matchAll(/<file path="f(\d+)\.ts">\n([^]*?)<\/file>/g)];
    assert.ok(blocks.length > 0);
    for (const [, at, body = ''] of blocks) {
      const versions = new Set([...body.matchAll(/of version (\d+)/g)].map(([, found]) => found));
      assert.equal(versions.size, 1, `f${at}.ts holds parts of ${versions.size} versions`);
    }
  });

  test('a model that is missing or damaged is named', async () => {
    write('a.ts', 'x\n');
    await sync();
    const request = { question: '?', history: [], attachments: [], budgetTokens: 999 };
    const signal = new AbortController().signal;
    const packWith = (model: string) =>
      service.pack({ ...request, modelPath: model }, () => undefined, signal);
    await assert.rejects(packWith(path.join(dir, 'none.gguf')), { code: 'modelMissing' });
    await assert.rejects(packWith(path.join(dir, 'a.ts')), { code: 'modelCorrupt' });
  });
});
