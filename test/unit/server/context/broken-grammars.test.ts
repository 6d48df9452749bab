import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ContextServiceImpl } from '../../../../server/context/context-service-impl';
import { Grammars } from '../../../../server/context/signatures/grammars';
import { SignatureReader } from '../../../../server/context/signatures/signatures';
import { charModel } from '../prompt/fakes';
import { FakeSource } from './fake-source';

const GRAMMARS = 'node_modules/@vscode/tree-sitter-wasm/wasm';
const BODY = '  step();\n'.repeat(60);

suite('broken grammars', () => {
  let folder: string;
  setup(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-grammars-'));
    for (const name of ['tree-sitter', 'tree-sitter-typescript', 'tree-sitter-python'])
      fs.copyFileSync(path.join(GRAMMARS, `${name}.wasm`), path.join(folder, `${name}.wasm`));
  });
  teardown(() => fs.rmSync(folder, { recursive: true, force: true }));

  const typescript = () => path.join(folder, 'tree-sitter-typescript.wasm');
  const DAMAGES: Record<string, () => void> = {
    missing: () => fs.rmSync(typescript()),
    empty: () => fs.truncateSync(typescript(), 0),
    'cut short': () => fs.truncateSync(typescript(), 10_000),
    'not WebAssembly': () => fs.writeFileSync(typescript(), 'Not found'),
    'a folder': () => {
      fs.rmSync(typescript());
      fs.mkdirSync(typescript());
    },
  };

  for (const [damage, inflict] of Object.entries(DAMAGES)) {
    test(`a grammar that is ${damage}: its language by expressions, the others as ever`, async () => {
      inflict();
      const grammars = new Grammars(folder);
      const reader = new SignatureReader(grammars);
      for (const hash of ['1', '2']) {
        const found = await reader.read('a.ts', hash, 'export class Walrus {\n  swim(): void {\n  }\n}\n');
        assert.ok(found.some(({ text }) => text.includes('class Walrus')));
      }
      const python = await reader.read('b.py', '3', 'class Penguin:\n    def dive(self):\n        pass\n');
      assert.deepEqual(
        python.map(({ text }) => text),
        ['class Penguin', 'def dive(self)'],
      );
      assert.deepEqual([...grammars.failures.keys()], ['typescript']);
      assert.ok(grammars.failures.get('typescript'));
    });
  }

  test('a question is answered all the same, and told what is missing where it matters', async () => {
    const source = new FakeSource();
    const model = charModel();
    const ask = async (grammars: string, budgetTokens: number) => {
      const service = new ContextServiceImpl(source, () => Promise.resolve(model), { grammars });
      const upserts = await Promise.all(
        [...source.files.keys()].map(async (file) => ({
          root: 0,
          path: file.slice(3),
          ...(await source.stat(file)),
        })),
      );
      const roots = [{ name: 'w', path: '/w' }];
      await service.sync({ mode: 'full', revision: 1, last: true, roots, upserts, removals: [] });
      const question = 'What does the walrus do?';
      const request = { question, history: [], attachments: [], modelPath: 'm', budgetTokens };
      return service.pack(request, () => undefined, new AbortController().signal);
    };
    for (let i = 0; i < 20; i++)
      source.put(`/w/walrus${i}.ts`, `export function walrus${i}(depth: number) {\n${BODY}}\n`);
    const whole = await ask(GRAMMARS, 4096);
    assert.ok(whole.inclusion.included.some(({ detail }) => detail === 'signatures'));
    assert.deepEqual(whole.brokenGrammars, []);
    fs.rmSync(typescript());
    const broken = await ask(folder, 4096);
    assert.deepEqual(
      broken.brokenGrammars?.map(({ grammar }) => grammar),
      ['typescript'],
    );
    assert.ok(broken.inclusion.included.some(({ detail }) => detail === 'signatures'));
    assert.match(model.tokenizer.decode(broken.tokenIds), /export function walrus\d+\(depth: number\)\n/);
    assert.deepEqual(
      (await ask(folder, 40_000)).brokenGrammars,
      [],
      'everything fits, no signatures are shown',
    );
  });
});
