// Runs the compiled mocha suite inside the extension host of a real VS Code, once per kind of window.
//   npm:     scripts/host, from npm packages alone; Linux x64
//   desktop: @vscode/test-electron, downloads VS Code; needs a display
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../host/paths.mjs';
import { failure, outcomeOf } from './outcome.mjs';

const WINDOW_LIMIT_MS = 300_000;
const DOWNLOAD_LIMIT_MS = 15_000;

/**
 * @typedef {object} HostWindow
 * @property {string} name          folder of its tests under test/e2e/suite
 * @property {string[]} compiled    compiled test files
 * @property {string} [folder]      what it opens
 * @property {string} [workspace]
 * @property {object} [settings]    user settings
 */

const NPM_HOST_RUNS_HERE = process.platform === 'linux' && process.arch === 'x64';

/** The host to use: the one that `TEST_HOST` names, or with `auto` a desktop where there is one. */
export async function chooseHost() {
  const wanted = process.env.TEST_HOST ?? (NPM_HOST_RUNS_HERE ? 'npm' : 'desktop');
  if (!['npm', 'desktop', 'auto'].includes(wanted)) {
    throw new Error(`TEST_HOST is "${wanted}". Set it to npm, desktop or auto.`);
  }
  const hasDisplay = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  if (wanted === 'npm' || (wanted === 'auto' && !hasDisplay)) return { kind: 'npm' };
  if (process.env.VSCODE_EXECUTABLE) return { kind: 'desktop', executable: process.env.VSCODE_EXECUTABLE };
  const { downloadAndUnzipVSCode } = await import('@vscode/test-electron');
  const version = process.env.VSCODE_VERSION ?? 'stable';
  try {
    const executable = await downloadAndUnzipVSCode({ version, timeout: DOWNLOAD_LIMIT_MS });
    return { kind: 'desktop', executable };
  } catch (error) {
    if (wanted === 'desktop') throw error;
    process.stderr.write(`No desktop VS Code (${error.message}); using the npm host.\n`);
    return { kind: 'npm' };
  }
}

/**
 * Runs the tests of one window.
 * @param {{kind: string, executable?: string}} host
 * @param {HostWindow} window
 * @param {object} options
 * @param {string} options.entry   compiled module that exports run()
 * @param {string} [options.vsix]  test this package instead of the checkout
 */
export async function runHostWindow(host, window, { entry, vsix }) {
  const temp = fs.mkdtempSync(path.join(os.tmpdir(), 'lv-e2e-'));
  const report = path.join(temp, 'report.txt');
  const statsFile = path.join(temp, 'stats.json');
  const name = `e2e ${window.name} (${host.kind})`;
  const run = {
    ...window,
    tests: entry,
    dev: vsix ? emptyExtension(temp) : root,
    vsix,
    env: {
      TEST_STATS: statsFile,
      TEST_REPORT: report,
      TEST_FILES: JSON.stringify(window.compiled),
      TEST_EXTENSION: vsix ? 'installed' : 'checkout',
    },
  };
  try {
    const code = await (host.kind === 'npm' ? runInNpmHost(run) : runOnDesktop(run, host.executable, temp));
    if (fs.existsSync(report)) process.stdout.write(fs.readFileSync(report));
    // The exit code alone proves nothing: a crashed extension host also ends with 0.
    return outcomeOf(name, statsFile, code);
  } catch (error) {
    return failure(`${name}: ${error.stack}`);
  } finally {
    fs.rmSync(temp, { recursive: true, force: true });
  }
}

/** Tests start only where some extension is under development: beside a package, this empty one is. */
function emptyExtension(temp) {
  const dir = path.join(temp, 'empty');
  const manifest = { name: 'empty', publisher: 'test', version: '0.0.0', engines: { vscode: '*' } };
  fs.mkdirSync(dir);
  fs.writeFileSync(path.join(dir, 'package.json'), JSON.stringify(manifest));
  return dir;
}

async function runInNpmHost(run) {
  const { startHost } = await import('../host/host.mjs');
  const host = await startHost(run);
  let code = 'timeout';
  try {
    code = await Promise.race([host.exited, sleep(WINDOW_LIMIT_MS, 'timeout', { ref: false })]);
    if (code === 'timeout') await host.page.screenshot({ path: path.join(host.runDir, 'timeout.png') });
    if (process.env.TEST_VERBOSE) process.stdout.write(`${host.console.join('\n')}\n`);
  } finally {
    await host.stop({ keep: code !== 0 });
  }
  return code;
}

async function runOnDesktop({ folder, workspace, dev, tests, vsix, settings, env }, executable, temp) {
  const { resolveCliArgsFromVSCodeExecutablePath, runTests } = await import('@vscode/test-electron');
  const { TEST_SETTINGS } = await import('../host/host.mjs');
  const userData = path.join(temp, 'data');
  fs.mkdirSync(path.join(userData, 'User'), { recursive: true });
  fs.writeFileSync(
    path.join(userData, 'User/settings.json'),
    JSON.stringify({ ...TEST_SETTINGS, ...settings }, null, 2),
  );
  const profile = [`--user-data-dir=${userData}`, `--extensions-dir=${path.join(temp, 'extensions')}`];
  if (vsix) {
    const [cli] = resolveCliArgsFromVSCodeExecutablePath(executable);
    const { status } = spawnSync(cli, [...profile, '--install-extension', path.resolve(vsix)], {
      stdio: 'inherit',
      shell: process.platform === 'win32',
    });
    if (status !== 0) throw new Error(`VS Code did not install ${vsix} (exit code ${status})`);
  }
  const opened = folder ?? workspace;
  return runTests({
    vscodeExecutablePath: executable,
    extensionDevelopmentPath: dev,
    extensionTestsPath: tests,
    extensionTestsEnv: env,
    launchArgs: [...(opened ? [opened] : []), ...profile, '--disable-workspace-trust', '--disable-gpu'],
  });
}
