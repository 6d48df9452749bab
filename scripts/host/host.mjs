// One isolated VS Code for tests: own user data, own extensions, own port, its workbench open in Chromium.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ensureHost } from './install.mjs';
import { startServer } from './server.mjs';
import { launchChromium, openWorkbench } from './workbench.mjs';
import { workbenchUrl } from './workbench-url.mjs';

export { whenRestored } from './workbench.mjs';

/** Quiet and the same on every machine; suites add their own. */
export const TEST_SETTINGS = {
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'security.workspace.trust.enabled': false,
  // Off: VS Code's own assistant asks for a sign-in. Suites on its chat API must turn it on.
  'chat.disableAIFeatures': true,
  'git.enabled': false,
  'editor.fontFamily': 'DejaVu Sans Mono',
};

/** A folder that nobody has trusted, opened without the question whether to trust it. */
const RESTRICTED = {
  'security.workspace.trust.enabled': true,
  'security.workspace.trust.startupPrompt': 'never',
  'security.workspace.trust.banner': 'never',
};

/**
 * Boots a VS Code and opens its workbench.
 * @param {object} options
 * @param {string} [options.folder]    folder to open
 * @param {string} [options.workspace] or: a .code-workspace file; neither: an empty window
 * @param {string} [options.dev]       extension under development (folder with package.json)
 * @param {string} [options.vsix]      or: a package to install first
 * @param {string} [options.tests]     compiled module that exports run(), started inside the extension host
 * @param {object} [options.settings]  more user settings
 * @param {Record<string, string>} [options.env] more environment for the extension host
 * @param {boolean} [options.restricted] the folder is not trusted
 * @param {{width: number, height: number}} [options.viewport]
 */
export async function startHost(options) {
  const parts = ensureHost();
  // Short, since sockets lie in it: their paths are limited to about 100 bytes.
  const runDir = fs.mkdtempSync(path.join(os.tmpdir(), 'lv-'));
  const cleanups = [];
  const stop = async ({ keep = false } = {}) => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    cleanups.length = 0;
    if (keep) process.stderr.write(`kept ${runDir}\n`);
    else fs.rmSync(runDir, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const server = await startServer(parts, {
      dataDir: runDir,
      // A remote window may take what belongs to a machine (the model, the device) from there only.
      ...(options.settings && { machineSettings: options.settings }),
      settings: { ...TEST_SETTINGS, ...(options.restricted && RESTRICTED), ...options.settings },
      args: [
        ...(options.restricted ? [] : ['--disable-workspace-trust']),
        ...['--vscode-option', 'enable-smoke-test-driver'],
      ],
      env: { HOME: runDir, XDG_RUNTIME_DIR: runDir, ...options.env },
      ...(options.vsix && { vsix: options.vsix }),
    });
    cleanups.push(server.stop);
    const browser = await launchChromium(parts, runDir);
    cleanups.push(() => browser.close());
    const url = workbenchUrl(server.port, options);
    const workbench = await openWorkbench(browser, url, options.viewport && { viewport: options.viewport });
    return {
      ...workbench,
      url,
      runDir,
      serverPid: server.pid,
      stop,
    };
  } catch (error) {
    await stop({ keep: true });
    throw error;
  }
}
