// Bundles everything that ships into out/, and with --tests the compiled tests into out/test/.
//   node scripts/build.mjs [--watch] [--production] [--out DIR]
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import * as esbuild from 'esbuild';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** The programs: each entry is one process (or thread, or page) of the running product. */
const PROGRAMS = [
  { entry: 'src/extension.ts', out: 'extension', external: ['vscode'], later: 'session/connect-server' },
  { entry: 'src/session/connect-server.ts', out: 'connect-server', external: ['vscode'] },
  { entry: 'src/workspace/list-worker.ts', out: 'list-worker' },
  { entry: 'src/cli/main.ts', out: 'cli', banner: '#!/usr/bin/env node' },
  { entry: 'server/main.ts', out: 'server' },
  { entry: 'server/context/worker.ts', out: 'context-worker' },
  { entry: 'server/context/scan/scan-worker.ts', out: 'scan-worker' },
  { entry: 'server/engine-host/main.ts', out: 'engine-host', external: ['onnxruntime-node'] },
  { entry: 'media/chat/main.ts', out: 'webview/chat', platform: 'browser' },
  // Apart, since every icon component loads it into its own shadow tree.
  { entry: '@vscode/codicons/dist/codicon.css', out: 'webview/codicon', platform: 'browser' },
];

function optionsOf({ entry, out, external = [], banner, later, platform = 'node' }, { production, outdir }) {
  return {
    absWorkingDir: root,
    entryPoints: { [out]: entry },
    outdir,
    bundle: true,
    platform,
    target: platform === 'node' ? 'node20' : 'chrome128',
    format: platform === 'node' ? 'cjs' : 'iife',
    // The ESM build where a package has one: UMD wrappers hide their requires from the bundler.
    ...(platform === 'node' && { mainFields: ['module', 'main'] }),
    external: ['@vscode/ripgrep', ...external],
    sourcemap: production ? false : 'linked',
    minify: production,
    // Which packages went in, for the notices of a package.
    metafile: production,
    loader: { '.ttf': 'file', '.svg': 'dataurl' },
    assetNames: 'webview/[name]',
    ...(banner && { banner: { js: banner } }),
    ...(later && loadedLater(later)),
    logLevel: 'warning',
  };
}

/**
 * Leaves what `import('./<module>')` loads to the bundle named after the module, so that the start of a program
 * need not compile it. Loaded by `require`, which is how VS Code provides `vscode` to an extension.
 */
function loadedLater(module) {
  const setup = ({ onResolve }) =>
    onResolve({ filter: new RegExp(`/${module}$`) }, () => ({
      path: `./${path.basename(module)}.js`,
      external: true,
    }));
  return { plugins: [{ name: 'loaded-later', setup }], supported: { 'dynamic-import': false } };
}

/** Builds every program; a missing entry fails the build, so that nothing is left out unseen. */
export async function build({ production = false, watch = false, outdir = 'out' } = {}) {
  copyAddon(path.resolve(root, outdir));
  copyGrammars(path.resolve(root, outdir));
  const all = PROGRAMS.map((program) => optionsOf(program, { production, outdir }));
  if (!watch) return Promise.all(all.map((options) => esbuild.build(options)));
  for (const options of all) await (await esbuild.context({ ...options, logLevel: 'info' })).watch();
}

/** The native module of the CUDA engine, which scripts/build-cuda.mjs makes. */
const ADDON = 'longview-cuda.node';

/** Puts the CUDA engine beside the programs where it has been built. */
export function copyAddon(outdir) {
  const built = path.join(root, 'build/cuda', ADDON);
  if (!fs.existsSync(built)) return;
  fs.mkdirSync(outdir, { recursive: true });
  const beside = path.join(outdir, ADDON);
  // Beside, then in place: a running engine keeps the file that it has mapped.
  fs.copyFileSync(built, `${beside}.new`);
  fs.renameSync(`${beside}.new`, beside);
}

const GRAMMARS = 'node_modules/@vscode/tree-sitter-wasm/wasm';
/** Those that server/context/signatures/grammars.ts names, and tree-sitter itself; the package has more. */
const GRAMMAR_FILE =
  /^tree-sitter(?:-(?:typescript|tsx|javascript|python|java|go|rust|cpp|c-sharp|php|ruby))?\.wasm$/;

/** Puts tree-sitter and its grammars beside the context worker, which loads those that it needs. */
function copyGrammars(outdir) {
  const folder = path.join(outdir, 'grammars');
  fs.mkdirSync(folder, { recursive: true });
  for (const file of fs.readdirSync(path.join(root, GRAMMARS))) {
    if (GRAMMAR_FILE.test(file)) fs.copyFileSync(path.join(root, GRAMMARS, file), path.join(folder, file));
  }
}

/** Leaves imports of `scripts/` to run time: those modules find their files by their own place. */
export const SCRIPTS_AT_RUN_TIME = {
  name: 'scripts-at-run-time',
  setup({ onResolve }) {
    onResolve({ filter: /\/scripts\/.*\.mjs$/ }, ({ path: file, resolveDir }) => ({
      path: pathToFileURL(path.resolve(resolveDir, file)).href,
      external: true,
    }));
  },
};

/** Compiles test files one by one, packages left in node_modules; returns the compiled paths. */
export async function buildTests(files) {
  const entryPoints = Object.fromEntries(
    files.map((f) => [f.replace(/^test\//, '').replace(/\.ts$/, ''), f]),
  );
  await esbuild.build({
    absWorkingDir: root,
    entryPoints,
    outdir: 'out/test',
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    packages: 'external',
    plugins: [SCRIPTS_AT_RUN_TIME],
    sourcemap: 'linked',
    logLevel: 'warning',
  });
  return Object.keys(entryPoints).map((name) => path.join(root, 'out/test', `${name}.js`));
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      production: { type: 'boolean', default: false },
      watch: { type: 'boolean', default: false },
      out: { type: 'string', default: 'out' },
    },
  });
  await build({ production: values.production, watch: values.watch, outdir: values.out });
}
