import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FrameLocator, Locator, Page } from 'playwright-core';
import type { Host, HostOptions } from '../../../scripts/host/host.mjs';
import { descendantsOf, type RunningProcess } from './processes';

/** Compiled to out/test/e2e/ui. */
const ROOT = path.resolve(__dirname, '../../../..');
const SHOTS = path.join(ROOT, 'out/shots');

/** Small and quick; its answers are fluent, not true. */
const FAST_MODEL = 'smollm2-135m-instruct-q4_1';
/** The default on a CPU. */
export const TRUTH_MODEL = 'qwen2.5-coder-0.5b-instruct-q4_k_m';

/** Only for what hangs. Loading a model and reading 4K tokens took three minutes on two cores that six others shared. */
const ANSWER_LIMIT_MS = 480_000;

export const STATUS_ITEM = '.statusbar-item[id$="longview.ttft"]';

const hostModule = () => import('../../../scripts/host/host.mjs');

/** One VS Code window with Longview in it, used as a person would use it. */
export class LongviewWindow {
  private constructor(private readonly host: Host) {}

  /** Opens VS Code on the checkout's extension, or on the package that TEST_VSIX names. */
  static async open({ settings, ...options }: HostOptions): Promise<LongviewWindow> {
    const { startHost } = await hostModule();
    const vsix = process.env['TEST_VSIX'];
    const host = await startHost({
      ...options,
      ...(vsix ? { vsix } : { dev: ROOT }),
      // A test says itself when something is computed ahead of its questions.
      settings: { 'longview.model': FAST_MODEL, 'longview.warmPrefix': 'off', ...settings },
    });
    return new LongviewWindow(host);
  }

  get page(): Page {
    return this.host.page;
  }

  /** The page of the chat view; webviews are two frames deep. */
  get view(): FrameLocator {
    return this.page.frameLocator('iframe.webview.ready').frameLocator('#active-frame');
  }

  /** Questions with their answers, oldest first. */
  get exchanges(): Locator {
    return this.view.locator('article.exchange');
  }

  get lastExchange(): Locator {
    return this.exchanges.last();
  }

  get composer(): Locator {
    return this.view.getByRole('textbox', { name: 'Question' });
  }

  get stopButton(): Locator {
    return this.view.getByRole('button', { name: 'Stop (Escape)' });
  }

  /** Longview's item in the status bar. */
  get statusItem(): Locator {
    return this.page.locator(STATUS_ITEM);
  }

  /** Opens the view by its icon in the activity bar. */
  async openView(): Promise<void> {
    const tab = this.page.getByRole('tab', { name: 'Longview' }).first();
    if ((await tab.getAttribute('aria-selected')) !== 'true') await tab.click();
    // Off the icon, whose tooltip would lie over the view.
    await this.page.mouse.move(800, 400);
    await this.composer.waitFor();
  }

  /** Types a question and sends it; returns its exchange. */
  async ask(question: string): Promise<Locator> {
    const before = await this.exchanges.count();
    await this.composer.click();
    await this.page.keyboard.type(question);
    await this.page.keyboard.press('Enter');
    const exchange = this.exchanges.nth(before);
    await exchange.waitFor();
    return exchange;
  }

  /** Waits until the exchange is over, however it ended. */
  async finished(exchange: Locator): Promise<void> {
    await until(
      async () => (await exchange.getAttribute('aria-busy')) === 'false',
      () => this.describe('the answer did not end', exchange),
    );
  }

  /** Asks for an answer that takes a while, and waits until its first words are on the screen. */
  async askAtLength(): Promise<Locator> {
    const exchange = await this.ask('Write the numbers from 1 to 200, each on a line of its own.');
    await this.answering(exchange);
    return exchange;
  }

  /** Waits until the first words of the answer are on the screen. */
  async answering(exchange: Locator): Promise<void> {
    await until(
      async () => (await answerOf(exchange)).length > 0,
      () => this.describe('the answer did not begin', exchange),
    );
  }

  /** Runs a command of the command palette by its title. */
  async command(title: string): Promise<void> {
    await this.page.keyboard.press('F1');
    const input = this.page.locator('.quick-input-widget input');
    await input.fill(`>${title}`);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().click();
  }

  /**
   * Reloads the window, as `Developer: Reload Window` does, once the browser has stored exchanges in these `phases`:
   * there VS Code writes its storage a moment after a change, and a page that goes away cannot wait for it.
   */
  async reload(phases: string[]): Promise<void> {
    const { whenRestored } = await hostModule();
    const stored = async (): Promise<string> => (await this.page.evaluate(storedPhases)).join();
    await until(
      async () => (await stored()) === phases.join(),
      async () => `stored are exchanges in the phases: ${await stored()}`,
    );
    await this.page.reload();
    await whenRestored(this.page);
  }

  /** Processes of the product, by the program they run: `server`, `engine-host`. */
  processes(program: string): RunningProcess[] {
    return descendantsOf(this.host.serverPid).filter(({ commandLine }) =>
      commandLine.includes(`${path.sep}${program}.js`),
    );
  }

  /** Stands the engine still while `work` runs, so that a test meets it at one moment, however slow the machine is. */
  async whileEngineStandsStill(work: () => Promise<void>): Promise<void> {
    const [engine] = this.processes('engine-host');
    assert.ok(engine, 'no engine host runs');
    process.kill(engine.pid, 'SIGSTOP');
    try {
      await work();
    } finally {
      // `work` may have ended it.
      const isThere = this.processes('engine-host').some(({ pid }) => pid === engine.pid);
      if (isThere) process.kill(engine.pid, 'SIGCONT');
    }
  }

  /** Opens a file of the workspace in an editor and puts the cursor at its end. */
  async openFile(name: string): Promise<void> {
    await this.page.keyboard.press('Control+P');
    await this.page.locator('.quick-input-widget input').fill(name);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: name }).first().click();
    await this.page.locator('.tab.active', { hasText: name }).waitFor();
    await this.editor.click();
    await this.page.keyboard.press('Control+End');
  }

  /** The text of the active editor. */
  get editor(): Locator {
    return this.page.locator('.editor-group-container.active .monaco-editor .view-lines').first();
  }

  /** Chooses a colour theme by its label, as a person does. */
  async pickTheme(label: string): Promise<void> {
    await this.command('Preferences: Color Theme');
    const input = this.page.locator('.quick-input-widget input');
    const choice = this.page.locator('.quick-input-list .monaco-list-row', { hasText: label }).first();
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: /Light/ }).first().waitFor();
    await input.fill(label);
    await choice.click();
    await input.waitFor({ state: 'hidden' });
  }

  /** Leaves a picture in out/shots. */
  async shot(name: string): Promise<void> {
    fs.mkdirSync(SHOTS, { recursive: true });
    await this.page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
  }

  /** Ends VS Code. After a failed test its folder is kept, with a picture. */
  async close(failed: boolean): Promise<void> {
    if (failed) await this.shot('failed');
    await this.host.stop({ keep: failed });
  }

  private async describe(problem: string, exchange: Locator): Promise<string> {
    const shown = await exchange.innerText();
    return `${problem}:\n${shown}\n\n${this.host.console.slice(-40).join('\n')}`;
  }
}

/** Runs in the page: the phases of the exchanges that the browser keeps for this workspace. */
async function storedPhases(): Promise<string[]> {
  const done = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error('the storage cannot be read'));
    });
  for (const { name = '' } of await indexedDB.databases()) {
    if (!name.startsWith('vscode-web-state-db-')) continue;
    const database = await done(indexedDB.open(name));
    try {
      const items = database.transaction('ItemTable').objectStore('ItemTable');
      const state = (await done(items.get('longview.longview'))) as string | undefined;
      if (state === undefined) continue;
      const stored = JSON.parse(state) as Record<string, { exchanges: { phase: string }[] } | undefined>;
      return (stored['longview.conversation']?.exchanges ?? []).map(({ phase }) => phase);
    } finally {
      database.close();
    }
  }
  return [];
}

/**
 * Keeps every text that `selector` shows below `root` from now on, however briefly, in order. A test that only
 * looked now and then would depend on the pace of the machine.
 */
export async function recordTexts(root: Locator, selector: string): Promise<() => Promise<string[]>> {
  const record = await root.evaluateHandle((node, shown) => {
    const texts: string[] = [];
    const look = (): void => {
      const text = node.querySelector<HTMLElement>(shown)?.innerText.trim() ?? '';
      if (text !== '' && text !== texts.at(-1)) texts.push(text);
    };
    new MutationObserver(look).observe(node, { subtree: true, childList: true, characterData: true });
    return texts;
  }, selector);
  return () => record.jsonValue();
}

/** The text of the answer as it is drawn. */
export function answerOf(exchange: Locator): Promise<string> {
  return exchange.locator('.answer').innerText();
}

/** True when the element lies wholly inside the scrolled part of the conversation that is shown. */
export function isOnScreen(locator: Locator): Promise<boolean> {
  return locator.evaluate((node) => {
    const shown = node.closest('.transcript')?.getBoundingClientRect();
    const { top, bottom } = node.getBoundingClientRect();
    return shown !== undefined && top >= shown.top - 1 && bottom <= shown.bottom + 1;
  });
}

/** Asks again and again until `holds`; fails with `problem` after the time that an answer may take. */
export async function until(
  holds: () => Promise<boolean> | boolean,
  problem: () => Promise<string> | string,
): Promise<void> {
  const deadline = Date.now() + ANSWER_LIMIT_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) assert.fail(await problem());
    await sleep(50);
  }
}
