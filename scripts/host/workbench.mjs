// Shows the workbench of a VS Code server in the packaged Chromium, driven by Playwright.
import path from 'node:path';
import util from 'node:util';
import { chromium as playwright } from 'playwright-core';
import { cleanEnv } from './server.mjs';

/** Starts Chromium. `home` keeps its profile leftovers out of the user's home. */
export function launchChromium(parts, home) {
  return playwright.launch({
    executablePath: process.env.CHROMIUM_PATH ?? path.join(parts.chromium, 'chromium'),
    // No sandbox: it needs user namespaces, and the page is our own server's.
    args: ['--no-sandbox', '--disable-gpu', '--font-render-hinting=none'],
    env: cleanEnv({
      HOME: home,
      LD_LIBRARY_PATH: path.join(parts.chromium, 'al2023/lib'),
      FONTCONFIG_PATH: path.join(parts.chromium, 'fonts'),
    }),
  });
}

/**
 * Opens a workbench and waits until it is restored. `exited` resolves with the code of the extension tests,
 * `console` holds what the extension host and the workbench logged.
 */
export async function openWorkbench(browser, url, { viewport = { width: 1280, height: 800 } } = {}) {
  const context = await browser.newContext({ viewport, permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  const lines = [];
  page.on('console', (message) => lines.push(`${message.type()}: ${message.text()}`));
  // The workbench calls these two when it runs extension tests.
  let exit;
  const exited = new Promise((resolve) => {
    exit = resolve;
  });
  await page.exposeFunction('codeAutomationExit', (code) => exit(code));
  await page.exposeFunction('codeAutomationLog', (type, args) =>
    lines.push(`${type}: ${util.format(...args)}`),
  );
  await page.goto(url);
  await whenRestored(page);
  return { page, exited, console: lines };
}

/** Waits until the workbench shows its editors and views again, after an open or a reload. */
export async function whenRestored(page) {
  await page.waitForFunction(() => window.driver !== undefined);
  await page.evaluate(() => window.driver.whenWorkbenchRestored());
}
