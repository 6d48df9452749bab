import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import { answerOf, LongviewWindow, until } from './longview-window';
import { smallWorkspace } from './workspaces';

suite('the view in other windows', () => {
  test('says that no folder is open, and what to do', async () => {
    const window = await LongviewWindow.open({});
    let failed = true;
    try {
      await window.openView();
      const welcome = window.view.locator('.welcome');
      await until(
        async () => (await welcome.innerText()).includes('No folder is open'),
        () => welcome.innerText(),
      );
      const exchange = await window.ask('What is this?');
      await window.finished(exchange);
      await exchange.locator('.failure').getByRole('button', { name: 'Open Folder' }).waitFor();
      await window.shot('view-no-folder');
      failed = false;
    } finally {
      await window.close(failed);
    }
  });

  test('reads the files of all roots, told apart by the names of the roots', async () => {
    const { dir, dispose } = smallWorkspace();
    for (const root of ['one/app', 'two/app']) {
      fs.mkdirSync(path.join(dir, root), { recursive: true });
      fs.writeFileSync(path.join(dir, root, 'main.ts'), `export const home = '${root}';\n`);
    }
    const file = path.join(dir, 'both.code-workspace');
    fs.writeFileSync(file, JSON.stringify({ folders: [{ path: 'one/app' }, { path: 'two/app' }] }));
    const window = await LongviewWindow.open({
      workspace: file,
      settings: { 'longview.maxAnswerTokens': 40 },
    });
    let failed = true;
    try {
      await window.openView();
      const exchange = await window.ask('Which homes are there?');
      await window.finished(exchange);
      assert.ok((await answerOf(exchange)).length > 0);
      await window.statusItem.click();
      const account = exchange.locator('.inclusion');
      await account.locator('summary').first().click();
      const files = await account.locator('.files .link').allInnerTexts();
      assert.deepEqual(files.sort(), ['app-2/main.ts', 'app/main.ts']);
      failed = false;
    } finally {
      await window.close(failed);
      dispose();
    }
  });

  test('answers in a folder that is not trusted, whose settings must not choose the model', async () => {
    const { dir, dispose } = smallWorkspace();
    fs.mkdirSync(path.join(dir, '.vscode'));
    fs.writeFileSync(
      path.join(dir, '.vscode/settings.json'),
      JSON.stringify({ 'longview.model': 'model-of-a-stranger', 'longview.maxAnswerTokens': 3 }),
    );
    const askIn = async (restricted: boolean, check: (exchange: Locator) => Promise<void>): Promise<void> => {
      const window = await LongviewWindow.open({ folder: dir, restricted });
      let failed = true;
      try {
        await window.openView();
        const exchange = await window.ask('What is a stack?');
        await window.finished(exchange);
        await check(exchange);
        failed = false;
      } finally {
        await window.close(failed);
      }
    };
    try {
      await askIn(true, async (exchange) => {
        assert.equal(await exchange.locator('.failure').count(), 0, await exchange.innerText());
        // A setting that can do no harm holds all the same.
        assert.match(await exchange.innerText(), /reached its token limit/);
      });
      await askIn(false, async (exchange) => {
        assert.match(await exchange.locator('.failure').innerText(), /model-of-a-stranger/);
      });
    } finally {
      dispose();
    }
  });
});
