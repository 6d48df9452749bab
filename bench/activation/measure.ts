import type { Page } from 'playwright-core';

const EXTENSION = 'longview.longview';
const APPEARS_WITHIN_MS = 60_000;

/**
 * How long VS Code says the activation of the extension took, in ms: loading its code and running `activate`.
 * Starts a fresh VS Code on the extension in `extensionDir`, opens `folder`, and reads the editor of running
 * extensions, which shows what the extension host measured.
 */
export async function measureActivation(extensionDir: string, folder: string): Promise<number> {
  const { startHost } = await import('../../scripts/host/host.mjs');
  const host = await startHost({ folder, dev: extensionDir });
  try {
    return await readActivation(host.page);
  } finally {
    await host.stop();
  }
}

async function readActivation(page: Page): Promise<number> {
  // The item is drawn at the end of activation.
  await page.locator('.statusbar-item[id$="longview.ttft"]').waitFor({ timeout: APPEARS_WITHIN_MS });
  await page.keyboard.press('F1');
  await page.keyboard.type('Developer: Show Running Extensions');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Show Running Extensions' }).click();
  const row = page.locator('.runtime-extensions-editor .monaco-list-row', { hasText: EXTENSION });
  await row.waitFor({ timeout: APPEARS_WITHIN_MS });
  const text = await row.innerText();
  const ms = /Activation: (\d+)ms/.exec(text)?.[1];
  if (ms === undefined) throw new Error(`VS Code shows no activation time: ${text}`);
  return Number(ms);
}
