import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

/** Compiled to out/test/unit/gates. */
const ROOT = path.resolve(__dirname, '../../../..');
const CONFIG = path.join(ROOT, '.dependency-cruiser.cjs');
const ROOMS = ['protocol', 'src', 'server', 'media', 'test', 'bench'];

/** A tree in which every rule is broken at least once: file → text. */
const BROKEN: Record<string, string> = {
  'protocol/index.ts': "import '../src/client/a';",
  'src/client/a.ts': "import type { S } from '../../server/errors'; export type A = S;",
  'src/client/b.ts': "import './c';",
  'src/client/c.ts': "import './b'; import './nowhere';",
  'src/client/d.ts': "import '../workspace/list';",
  'src/workspace/list.ts': "import * as vscode from 'vscode'; export const v = vscode;",
  'src/workspace/more.ts': "import '../client/a';",
  'src/session/connect.ts': "import '../chat/session';",
  'src/chat/session.ts': "import '../status/item';",
  'src/status/item.ts': "import '../commands/register';",
  'src/context-view/view.ts': "import '../status/text';",
  'src/commands/register.ts': "import '../status/text';",
  'src/status/text.ts': 'export const t = 1;',
  'src/cli/main.ts': "import '../chat/session';",
  'src/workspace/vscode-workspace.ts': "import * as vscode from 'vscode'; export const v = vscode;",
  'server/errors.ts': 'export interface S {}',
  'server/connection.ts':
    "import * as vscode from 'vscode'; export const v = vscode; import './backends/onnx/session';",
  'server/backends/backend.ts': 'export interface Backend {}',
  'server/backends/onnx/session.ts': "import 'onnxruntime-node';",
  'server/engine/engine.ts': "import '../context/read'; export type { Backend } from '../backends/backend';",
  'server/engine/disk.ts': "import fs from 'node:fs/promises'; export const f = fs;",
  'server/context/read.ts': "import 'onnxruntime-node'; import '../../bench/timer'; import '../engine/disk';",
  'server/models/store.ts': "import '../context/read';",
  'server/tokenizer/bpe.ts': "import '../models/store';",
  'server/engine-host/host.ts': "import '../engine/engine';",
  'server/backends/onnx/graph.ts': "import '../../engine/disk';",
  'server/handlers/ask.ts': "import '../prompt/pack';",
  'server/prompt/pack.ts': "import fs from 'node:fs'; import '../models/store'; export const f = fs;",
  'media/chat.ts': "import '../src/client/a';",
  'bench/timer.ts': 'export const t = 1;',
  'test/a.test.ts': "import '../server/errors'; import '../bench/timer';",
  'node_modules/onnxruntime-node/index.js': 'module.exports = {};',
  'node_modules/@types/vscode/index.d.ts': "declare module 'vscode' {}",
  'tsconfig.base.json': '{ "compilerOptions": { "module": "preserve", "moduleResolution": "bundler" } }',
};

interface Violation {
  from: string;
  rule: { name: string };
}

function violationsIn(files: Record<string, string>): Violation[] {
  const tree = fs.mkdtempSync(path.join(os.tmpdir(), 'lv-layers-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(tree, name)), { recursive: true });
      fs.writeFileSync(path.join(tree, name), text);
    }
    const cli = path.join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
    const args = [cli, '--config', CONFIG, '--output-type', 'json', ...ROOMS];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: tree, encoding: 'utf8' });
    assert.ok(stdout, stderr);
    return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
  } finally {
    fs.rmSync(tree, { recursive: true, force: true });
  }
}

suite('the layering rules', () => {
  const rules = (createRequire(__filename)(CONFIG) as { forbidden: { name: string }[] }).forbidden;
  const broken = violationsIn(BROKEN);

  for (const { name } of rules) {
    test(`${name} fires on a seeded violation`, () => {
      const where = broken.filter(({ rule }) => rule.name === name).map(({ from }) => from);
      assert.notDeepEqual(where, []);
    });
  }

  test('leave alone what is allowed', () => {
    const allowed = [
      'src/workspace/vscode-workspace.ts',
      'server/backends/onnx/session.ts',
      'test/a.test.ts',
    ];
    const wrongly = broken.filter(({ from }) => allowed.includes(from));
    assert.deepEqual(wrongly, []);
  });
});
