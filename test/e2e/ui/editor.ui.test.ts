import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { ChatConversation } from '../../../protocol';
import { LongviewWindow, until } from './longview-window';
import { smallWorkspace, type Workspace } from './workspaces';

const CODE = "export const origin = 'the answer';";

suite('the view and the editor', () => {
  let workspace: Workspace;
  let window: LongviewWindow;
  let failed = false;

  suiteSetup(async () => {
    workspace = smallWorkspace();
    window = await LongviewWindow.open({
      folder: workspace.dir,
      settings: {
        'longview.maxAnswerTokens': 8,
        'files.autoSave': 'off',
        'editor.autoClosingBrackets': 'never',
        'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
      },
    });
    await window.openView();
    await window.openFile('stack.ts');
  });
  teardown(function () {
    failed ||= this.currentTest?.state === 'failed';
  });
  suiteTeardown(async () => {
    await window.close(failed);
    workspace.dispose();
  });

  const onDisk = (): string => fs.readFileSync(path.join(workspace.dir, 'src/stack.ts'), 'utf8');

  /** Tokens that `src/stack.ts` takes in the prompt of a fresh question. */
  async function tokensOfFile(): Promise<number> {
    const exchange = await window.ask('What does the stack hold?');
    await window.finished(exchange);
    const row = exchange.locator('.inclusion .files li', { hasText: 'src/stack.ts' });
    return Number((await row.locator('.remark').textContent())?.replace(',', ''));
  }

  test('unsaved text is what the model reads', async () => {
    const saved = onDisk();
    const before = await tokensOfFile();
    assert.ok(before > 0);
    await window.editor.click();
    await window.page.keyboard.press('Control+End');
    await window.page.keyboard.type('// one two three four five six seven eight nine ten');
    await window.page.locator('.tab.active.dirty').waitFor();
    const after = await tokensOfFile();
    assert.ok(after >= before + 10, `${before} tokens before, ${after} with ten words more`);
    assert.equal(onDisk(), saved);
  });

  test('the selection is attached, named, and goes with the question', async () => {
    await window.editor.click();
    await window.page.keyboard.press('Control+Home');
    await window.page.keyboard.press('Shift+ArrowDown');
    await window.page.keyboard.press('Shift+ArrowDown');
    await window.view.getByRole('button', { name: 'Attach the Selection or the Active File' }).click();
    const chip = window.view.locator('.composer .chip');
    await chip.waitFor();
    assert.match(await chip.innerText(), /stack\.ts:1-2/);
    const exchange = await window.ask('What do these lines say?');
    await window.finished(exchange);
    assert.match(await exchange.locator('.question .chip').innerText(), /stack\.ts:1-2/);
    const rows = await exchange.locator('.inclusion .files').first().locator('.remark').allTextContents();
    assert.ok(
      rows.some((remark) => remark.includes('attached')),
      rows.join(' | '),
    );
    assert.equal(await chip.count(), 0, 'it belongs to one question');
  });

  test('code of an answer goes to the cursor and to the clipboard', async () => {
    const conversation: ChatConversation = {
      exchanges: [
        {
          id: 'code',
          question: 'Write it.',
          attachments: [],
          answer: `Here:\n\n\`\`\`ts\n${CODE}\n\`\`\`\n`,
          phase: 'done',
          citations: [],
        },
      ],
    };
    await window.editor.click();
    await window.page.keyboard.press('Control+End');
    // What the extension would send if a model wrote this; the buttons speak to the real extension.
    await window.view.locator('body').evaluate((_body, shown) => {
      globalThis.postMessage({ kind: 'conversation', conversation: shown, attachments: [] }, '*');
    }, conversation);
    const code = window.view.locator('.code');
    await code.getByRole('button', { name: 'Insert at Cursor' }).click();
    await until(
      async () => (await window.editor.innerText()).replaceAll('\u00a0', ' ').includes(CODE),
      () => window.editor.innerText(),
    );
    await window.editor.click();
    await window.page.keyboard.press('Control+S');
    await until(
      () => onDisk().endsWith(CODE),
      () => `saved is:\n${onDisk()}`,
    );

    await code.getByRole('button', { name: 'Copy' }).click();
    await window.page.bringToFront();
    await window.editor.click();
    await until(
      async () => (await window.page.evaluate(() => navigator.clipboard.readText())) === CODE,
      () => window.page.evaluate(() => navigator.clipboard.readText()),
    );
  });
});
