// Measures one thing and writes its record to bench/results/.
//   node scripts/bench.mjs NAME [ARGUMENTS...]      NAME: a folder of bench/ that holds NAME-bench.ts
//   node scripts/bench.mjs NAME --bundle            only makes out/bench/NAME.cjs, to run where there is no checkout
// LONGVIEW_COMMIT names the measured commit where there is no git.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { SCRIPTS_AT_RUN_TIME } from './build.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

const entryOf = (name) => path.join('bench', name, `${name}-bench.ts`);

function benchNames() {
  return fs
    .readdirSync(path.join(root, 'bench'))
    .filter((name) => fs.existsSync(path.join(root, entryOf(name))));
}

/** The commit of the checkout; `-dirty` when the product or the benches differ from it. */
function commitOfCheckout() {
  const git = (...args) => {
    const { status, stdout, error } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
    if (status !== 0) throw new Error(`git ${args[0]} failed; set LONGVIEW_COMMIT`, { cause: error });
    return stdout.trim();
  };
  const isDirty = git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!bench/results') !== '';
  return git('rev-parse', 'HEAD') + (isDirty ? '-dirty' : '');
}

async function bundle(name, isAlone) {
  const outfile = path.join('out', 'bench', `${name}.cjs`);
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: [entryOf(name)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    ...(isAlone ? { mainFields: ['module', 'main'] } : { packages: 'external' }),
    plugins: [SCRIPTS_AT_RUN_TIME],
    sourcemap: 'linked',
    logLevel: 'warning',
  });
  return outfile;
}

const [name, ...rest] = process.argv.slice(2);
const names = benchNames();
if (!name || !names.includes(name)) {
  console.error(`usage: npm run bench -- NAME     NAME is one of: ${names.join(', ')}`);
  process.exit(2);
}
const isAlone = rest.includes('--bundle');
const outfile = await bundle(name, isAlone);
if (isAlone) {
  console.log(outfile);
  process.exit(0);
}
const env = { ...process.env, LONGVIEW_COMMIT: process.env.LONGVIEW_COMMIT || commitOfCheckout() };
const run = spawnSync(process.execPath, ['--enable-source-maps', outfile, ...rest], {
  cwd: root,
  env,
  stdio: 'inherit',
});
if (run.error) throw run.error;
process.exit(run.status ?? 1);
