import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { LongviewWindow, until } from './longview-window';
import { smallWorkspace, type Workspace } from './workspaces';

// In pieces, so that no other scanner takes this file for a leak.
const TOKEN = ['ghp', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('_');

suite('the Context view', () => {
  let workspace: Workspace;
  let window: LongviewWindow;
  let failed = false;

  suiteSetup(async () => {
    workspace = smallWorkspace();
    fs.mkdirSync(path.join(workspace.dir, 'docs'));
    fs.writeFileSync(path.join(workspace.dir, 'docs/history.md'), 'It was written in 1998.\n'.repeat(40));
    fs.writeFileSync(path.join(workspace.dir, 'deploy.env'), `# of the test account\nGITHUB=${TOKEN}\n`);
    fs.writeFileSync(path.join(workspace.dir, 'second.env'), `GITHUB=${TOKEN}\n`);
    window = await LongviewWindow.open({
      folder: workspace.dir,
      settings: { 'longview.maxAnswerTokens': 40 },
    });
    await window.openView();
    await openContext();
  });
  teardown(function () {
    failed ||= this.currentTest?.state === 'failed';
  });
  suiteTeardown(async () => {
    await window.close(failed);
    workspace.dispose();
  });

  /** Folds the chat, or unfolds it: rows that are out of sight are not there. */
  const toggleChat = (): Promise<void> => window.page.getByRole('button', { name: 'Chat Section' }).click();
  const openContext = async (): Promise<void> => {
    await window.command('Longview: Show Context');
    await toggleChat();
  };
  const row = (name: RegExp): Locator => window.page.getByRole('treeitem', { name });
  const shows = (name: RegExp): Promise<void> => row(name).first().waitFor();
  /** Selects a row, with the keyboard in the tree, and presses a key. */
  const press = async (name: RegExp, key: string): Promise<void> => {
    await row(name).first().click();
    await window.page.keyboard.press(key);
  };

  test('shows what the next question would be sent with, before anybody asks', async () => {
    await shows(/^Next question: [\d,]+ of 4,096 tokens/);
    await shows(/^Folder src\/, [\d,]+ tokens, 2 files: 2 whole/);
    await shows(/^README\.md, [\d,]+ tokens, everything fits/);
    await shows(/^2 files held back/);
    await shows(/^deploy\.env, held back: may hold a secret\. Not sent: github in line 2/);
    await row(/^Next question/)
      .locator('.monaco-tl-twistie')
      .click();
    await shows(/^Kept for the answer: 40 tokens/);
    await window.page.mouse.move(900, 500);
    await window.shot('context-next');
    await row(/^README\.md/).click({ button: 'right' });
    for (const name of ['Pin in Context', 'Exclude from Context']) {
      await window.page.getByRole('menuitem', { name }).waitFor();
    }
    await window.shot('context-menu');
    await window.page.keyboard.press('Escape');
  });

  test('a held-back file is included, a file excluded and another pinned by keyboard', async () => {
    await press(/^deploy\.env, held back/, 'Shift+Insert');
    await shows(/^deploy\.env, [\d,]+ tokens, everything fits\. Sent with: github in line 2/);
    await shows(/^1 file held back/);
    await press(/^README\.md/, 'Control+Enter');
    await shows(/^README\.md, [\d,]+ tokens, pinned/);
    await press(/^Folder docs\//, 'Delete');
    await shows(/^Folder docs\/, 0 tokens, 1 file: 1 left out, excluded/);
    await window.shot('context-chosen');
  });

  test('after a question it shows exactly what was sent', async () => {
    await toggleChat();
    const exchange = await window.ask('What does evaluate do?');
    await window.finished(exchange);
    await shows(/^Last question: [\d,]+ of 4,096 tokens/);
    const spoken = await row(/^Last question/)
      .first()
      .getAttribute('aria-label');
    const sent = /Last question: ([\d,]+) of/.exec(spoken ?? '')?.[1];
    const account = await exchange.innerText();
    assert.ok(
      sent && account.includes(sent),
      `${sent} tokens are not in the account of the answer: ${account}`,
    );
    await window.shot('context-asked');
  });

  test('the prompt opens as Markdown, with what was let through and without what was excluded', async () => {
    await window.command('Longview: Export Context as Markdown');
    await until(
      async () => (await window.editor.innerText()).includes('Context'),
      async () => `the editor shows ${await window.editor.innerText()}`,
    );
    assert.match(await window.editor.innerText(), /#\sContext\sof\sthe\slast\squestion/u);
  });

  test('an attached file that may hold a secret is asked about, and sent when that is wished', async () => {
    await window.openFile('second.env');
    await window.command('Longview: Attach to Chat');
    const exchange = await window.ask('Which variable is set?');
    const failure = exchange.locator('.failure');
    await failure.getByText('second.env looks as if it held a secret: github in line 1').waitFor();
    assert.ok(!(await failure.innerText()).includes(TOKEN));
    await window.shot('context-secret-attached');
    await failure.getByRole('button', { name: 'Include Anyway' }).click();
    await window.answering(exchange);
    await window.finished(exchange);
    assert.match(await exchange.innerText(), /to first token/);
    await toggleChat();
    await shows(/^second\.env, [\d,]+ tokens, attached to the question\. Sent with: github in line 1/);
  });

  test('choices outlive a reload of the window', async () => {
    await toggleChat();
    await window.reload(['done', 'done']);
    await window.openView();
    await openContext();
    await shows(/^README\.md, [\d,]+ tokens, pinned/);
    await shows(/^Folder docs\/, 0 tokens, 1 file: 1 left out, excluded/);
    await shows(/^deploy\.env, [\d,]+ tokens/);
    // To take it back is as easy.
    await press(/^Folder docs\//, 'Insert');
    await shows(/^Folder docs\/, [1-9][\d,]* tokens, 1 file: 1 whole/);
  });
});
