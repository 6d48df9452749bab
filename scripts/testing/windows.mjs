// The kinds of VS Code window that the e2e suite runs in: one folder of tests each, under test/e2e/suite.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../host/paths.mjs';
import { FAST_MODEL } from './models.mjs';

const SETTINGS = { 'longview.model': FAST_MODEL, 'longview.warmPrefix': 'off' };

/** Each makes what it opens under `temp`. */
const KINDS = {
  folder: (temp) => ({ folder: copyOf('small-repo', temp) }),
  'no-folder': () => ({}),
  'multi-root': (temp) => ({ workspace: workspaceFile(temp) }),
};

function copyOf(fixture, temp) {
  const copy = path.join(temp, fixture);
  fs.cpSync(path.join(root, 'test/fixtures', fixture), copy, { recursive: true });
  return copy;
}

/** Two roots whose folders have the same name: the hard case for telling their files apart. */
function workspaceFile(temp) {
  const roots = ['one/app', 'two/app'];
  for (const name of roots) {
    fs.mkdirSync(path.join(temp, name), { recursive: true });
    fs.writeFileSync(path.join(temp, name, 'main.ts'), `export const home = '${name}';\n`);
  }
  const file = path.join(temp, 'both.code-workspace');
  fs.writeFileSync(file, JSON.stringify({ folders: roots.map((name) => ({ path: name })) }));
  return file;
}

/** The windows that the compiled tests belong to. Each is disposed after its run. */
export function windowsIn(compiled) {
  const suiteDir = path.join(root, 'out/test/e2e/suite');
  const kindOf = (file) => path.relative(suiteDir, file).split(path.sep)[0];
  const kinds = [...new Set(compiled.map(kindOf))];
  const unknown = kinds.filter((kind) => !(kind in KINDS));
  if (unknown.length)
    throw new Error(`no window is called ${unknown.join(', ')} (scripts/testing/windows.mjs)`);
  return kinds.map((name) => {
    const temp = fs.mkdtempSync(path.join(os.tmpdir(), 'lv-ws-'));
    return {
      name,
      compiled: compiled.filter((file) => kindOf(file) === name),
      settings: SETTINGS,
      dispose: () => fs.rmSync(temp, { recursive: true, force: true }),
      ...KINDS[name](temp),
    };
  });
}
