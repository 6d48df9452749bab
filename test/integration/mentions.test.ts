import assert from 'node:assert/strict';
import {
  Ask,
  type AskOptions,
  type Attachment,
  type AttachmentAccount,
  CountAttachments,
  Find,
  Overlay,
} from '../../protocol';
import { ServerError } from '../../src/client/server-connection';
import type { StdioConnection } from '../../src/client/stdio-connection';
import { ensureModel } from './support/models';
import { FAST_MODEL } from './support/places';
import {
  fillerSource,
  sendWorkspace,
  startServer,
  type TempRepository,
  tempRepository,
} from './support/server';

const OPTIONS: AskOptions = {
  model: FAST_MODEL,
  device: 'cpu',
  attention: 'auto',
  quality: 'balanced',
  contextTokens: 2048,
  maxAnswerTokens: 8,
  sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
};

const STACK = 'export class Stack {\n  push(item: string): void {\n    this.items.push(item);\n  }\n}\n';

suite('mentions with a real server and its tokenizer', () => {
  let repo: TempRepository;
  let server: StdioConnection;

  suiteSetup(async () => {
    await ensureModel(FAST_MODEL);
    repo = await tempRepository({
      'README.md': '# Station\n\nNaïve façade, 日本語 and 🚀.\n',
      'src/stack.ts': STACK,
      'src/big.ts': fillerSource('big', 200),
      'src/logo.png': Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 1]),
    });
    server = await startServer();
    await sendWorkspace(server, repo.path);
  });
  suiteTeardown(async () => {
    await server.dispose();
    await repo.dispose();
  });

  const count = (attachments: Attachment[], question = 'What is this?'): Promise<AttachmentAccount> =>
    server.request(CountAttachments, { question, attachments, options: OPTIONS });
  const ask = (attachments: Attachment[], question = 'What is this?') =>
    server.request(Ask, { question, history: [], attachments, options: OPTIONS });

  test('the tokens of every kind are those that the prompt takes, to the token', async () => {
    const attachments: Attachment[] = [
      { kind: 'file', path: 'README.md' },
      { kind: 'symbol', path: 'src/stack.ts', name: 'push', startLine: 2, endLine: 4 },
      { kind: 'excerpt', source: 'terminal', label: 'make', text: '$ make\nerror: naïve 🚀\n' },
    ];
    const { counts, neededTokens, budgetTokens } = await count(attachments);
    assert.equal(budgetTokens, 2040);
    const { inclusion } = await ask(attachments);
    const tokens = counts.map((each) => ('tokens' in each ? each.tokens : -1));
    assert.equal(inclusion.included.find(({ path }) => path === 'README.md')?.tokens, tokens[0]);
    assert.deepEqual(inclusion.excerpts, [{ source: 'terminal', label: 'make', tokens: tokens[2] }]);
    assert.ok(neededTokens > tokens.reduce((sum, each) => sum + each, 0));
    assert.ok(neededTokens <= inclusion.promptTokens);
  });

  test('unsaved text wins, and a folder names what is not in it', async () => {
    const file: Attachment[] = [{ kind: 'file', path: 'src/stack.ts' }];
    const before = (await count(file)).counts[0] as { tokens: number };
    await server.notify(Overlay, {
      root: 0,
      path: 'src/stack.ts',
      text: `${STACK}// one two three four five\n`,
    });
    const after = (await count(file)).counts[0] as { tokens: number };
    assert.ok(after.tokens >= before.tokens + 5, `${before.tokens} and ${after.tokens}`);
    await server.notify(Overlay, { root: 0, path: 'src/stack.ts', text: null });
    const { counts, neededTokens, budgetTokens } = await count([{ kind: 'folder', path: 'src' }]);
    const folder = counts[0] as { files: number; leftOut: unknown };
    assert.deepEqual([folder.files, folder.leftOut], [2, [{ path: 'src/logo.png', reason: 'binary' }]]);
    assert.ok(neededTokens > budgetTokens);
    await assert.rejects(ask([{ kind: 'folder', path: 'src' }]), (error) => {
      assert.ok(error instanceof ServerError);
      return error.data.code === 'promptTooLong';
    });
  });

  test('what cannot be attached is said beside what can, and the server goes on', async () => {
    const { counts } = await count([
      { kind: 'file', path: 'src/logo.png' },
      { kind: 'symbol', path: 'src/stack.ts', name: 'gone', startLine: 9, endLine: 9 },
      { kind: 'file', path: 'README.md' },
    ]);
    assert.match((counts[0] as { problem: string }).problem, /logo\.png cannot be used: it is binary/);
    assert.match((counts[1] as { problem: string }).problem, /does not define it any more/);
    assert.ok('tokens' in counts[2]!);
  });

  test('finds files, folders and symbols', async () => {
    const find = async (kind: 'file' | 'folder' | 'symbol', query: string) =>
      (await server.request(Find, { kind, query, limit: 5 })).items;
    assert.deepEqual(await find('file', 'stack'), [{ kind: 'file', path: 'src/stack.ts' }]);
    assert.deepEqual(await find('folder', 'sr'), [{ kind: 'folder', path: 'src', files: 2 }]);
    const push = { kind: 'symbol', path: 'src/stack.ts', name: 'push', startLine: 2, endLine: 4 };
    assert.deepEqual(await find('symbol', 'push'), [push]);
  });
});
