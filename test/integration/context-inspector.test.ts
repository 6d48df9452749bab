import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  AskedContext,
  type ContextChoices,
  DidChangeContext,
  GetPromptText,
  InspectContext,
  ListContextFolder,
  NO_CHOICES,
  SetContextChoices,
} from '../../protocol';
import { openGguf } from '../../server/models/gguf/open-gguf';
import { tokenizerFromMetadata } from '../../server/tokenizer/from-gguf';
import type { StdioConnection } from '../../src/client/stdio-connection';
import { ensureModel } from './support/models';
import { FAST_MODEL } from './support/places';
import {
  ask,
  fillerSource,
  sendWorkspace,
  startServer,
  type TempRepository,
  tempRepository,
} from './support/server';

// In pieces, so that no other scanner takes this file for a leak.
const TOKEN = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_');

suite('what a real server says about its context', () => {
  let repo: TempRepository;
  let server: StdioConnection;
  let modelPath: string;
  suiteSetup(async () => {
    modelPath = await ensureModel(FAST_MODEL);
  });
  setup(async () => {
    repo = await tempRepository({
      '.gitignore': 'notes.md\n',
      'notes.md': 'The launch word is "marigold-41".\n',
      'src/a.ts': fillerSource('a', 3),
      'src/deep/b.ts': fillerSource('b', 3),
      'deploy.env': `GITHUB=${TOKEN}\n`,
    });
    server = await startServer();
    await sendWorkspace(server, repo.path);
  });
  teardown(async () => {
    await server.dispose();
    await repo.dispose();
  });

  const options = {
    model: FAST_MODEL,
    device: 'auto',
    attention: 'auto',
    quality: 'balanced',
    contextTokens: 1024,
    maxAnswerTokens: 16,
    sampling: { temperature: 0, topP: 1, topK: 0, stop: [] },
  } as const;
  const choose = (choices: Partial<ContextChoices>) =>
    server.notify(SetContextChoices, { ...NO_CHOICES, ...choices });
  const inspect = () =>
    server.request(InspectContext, {
      history: [],
      attachments: [],
      options: { ...options, sampling: { ...options.sampling, stop: [] } },
    });

  test('the next prompt before anybody asks, and the asked one token for token', async () => {
    const next = await inspect();
    assert.equal(next.contextTokens, 1024);
    assert.equal(next.budgetTokens, 1008);
    assert.deepEqual(next.files, { whole: 3, signatures: 0, path: 0, excluded: 1 });
    assert.deepEqual(next.heldBack, [{ path: 'deploy.env', secrets: [{ rule: 'github', line: 1 }] }]);
    assert.equal((await server.request(AskedContext, {})).account, null);

    const { record, inclusion } = await ask(server, 'What is aValue1?').result;
    const { account } = await server.request(AskedContext, {});
    assert.equal(account?.promptTokens, record.promptTokens);
    assert.equal(account.inclusion.fileTokens, next.inclusion.fileTokens, 'as it was announced');
    const { entries } = await server.request(ListContextFolder, { id: account.id, folder: '' });
    const tokens = entries.reduce((sum, entry) => sum + entry.tokens, 0);
    assert.equal(tokens, inclusion.fileTokens);

    const { parts } = await server.request(GetPromptText, { id: account.id });
    const file = await openGguf(modelPath);
    const tokenizer = tokenizerFromMetadata(file.metadata);
    await file.close();
    const ids = parts.flatMap(({ part, pieces }) =>
      pieces.flatMap((piece) => [...tokenizer.encode(piece, { parseSpecial: part === 'template' })]),
    );
    assert.equal(ids.length, record.promptTokens);
    assert.match(
      parts.flatMap(({ pieces }) => pieces).join(''),
      /^<\|im_start\|>system\n[^]*aValue1\?<\|im_end\|>/,
    );
  });

  test('a pinned file is read although it is ignored; an excluded folder is not', async () => {
    await choose({ pinned: ['notes.md'], excluded: ['src/deep/'] });
    const { inclusion } = await ask(server, 'What is the launch word?').result;
    assert.deepEqual(inclusion.included.map(({ path: name, reason }) => [name, reason]).sort(), [
      ['.gitignore', 'all'],
      ['notes.md', 'pinned'],
      ['src/a.ts', 'all'],
    ]);
    assert.deepEqual(
      inclusion.excluded.map(({ path: name, reason }) => [name, reason]),
      [
        ['deploy.env', 'secret'],
        ['src/deep/b.ts', 'excludedByHand'],
      ],
    );
    await choose({ pinned: ['../outside.md', 'gone.md'] });
    const next = await inspect();
    assert.equal(
      next.inclusion.excludedByReason.unreadable,
      2,
      'what cannot be read is named, and nothing else',
    );
  });

  test('a decision lets a secret through, and the same question again starts with the same tokens', async () => {
    const choices = { allowedSecrets: [{ path: 'deploy.env', rules: ['github'] }], pinned: ['src/a.ts'] };
    await choose(choices);
    const first = await ask(server, 'Which variable is set?').result;
    assert.ok(first.inclusion.included.some(({ path: name }) => name === 'deploy.env'));
    await choose(choices);
    const again = await ask(server, 'Which variable is set?').result;
    assert.equal(again.record.cachedTokens, again.record.promptTokens - 1);

    await writeFile(path.join(repo.path, 'src/a.ts'), 'export const edited = true;\n');
    await sendWorkspace(server, repo.path);
    const edited = await ask(server, 'Which variable is set?').result;
    const { path: last, reason } = edited.inclusion.included.at(-1)!;
    assert.deepEqual([last, reason], ['src/a.ts', 'pinned'], 'an edit moves it behind the others');
    assert.ok(edited.record.cachedTokens > 0, 'what stands before its old place is not read again');
  });

  test('the client is told once when what changes has settled', async () => {
    let told = 0;
    const changed = new Promise<void>((resolve) => {
      server.onNotification(DidChangeContext, () => {
        told++;
        resolve();
      });
    });
    for (let i = 0; i < 5; i++) await choose({ pinned: [`f${i}.ts`] });
    await writeFile(path.join(repo.path, 'src/new.ts'), 'let a;\n');
    await sendWorkspace(server, repo.path);
    await changed;
    assert.equal(told, 1);
  });
});
