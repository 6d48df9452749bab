import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Locator } from 'playwright-core';
import type { ChatConversation } from '../../../protocol';
import { LongviewWindow, until } from './longview-window';
import { smallWorkspace, type Workspace } from './workspaces';

suite('mentions in the question', () => {
  let workspace: Workspace;
  let window: LongviewWindow;
  let failed = false;

  suiteSetup(async () => {
    workspace = smallWorkspace();
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], {
        cwd: workspace.dir,
      });
    git('init', '--quiet', '--initial-branch=main');
    git('add', '.');
    git('commit', '--quiet', '-m', 'First of all');
    fs.appendFileSync(path.join(workspace.dir, 'src/stack.ts'), '// The end.\n');
    git('commit', '--quiet', '-am', 'Stack and calculator');
    fs.appendFileSync(path.join(workspace.dir, 'README.md'), '\nChanged after the commit.\n');
    window = await LongviewWindow.open({
      folder: workspace.dir,
      settings: {
        'longview.maxAnswerTokens': 16,
        'longview.contextTokens': 2048,
        'git.enabled': true,
        'files.autoSave': 'off',
      },
    });
    await window.openView();
    await window.openFile('stack.ts');
  });
  teardown(async function () {
    failed ||= this.currentTest?.state === 'failed';
    if (failed) return;
    await clear();
    for (let left = await chips().count(); left > 0; left--) {
      await chips().first().getByRole('button').click();
      await until(
        async () => (await chips().count()) < left,
        () => 'a chip stays when it is removed',
      );
    }
  });
  suiteTeardown(async () => {
    await window.close(failed);
    workspace.dispose();
  });

  const options = (): Locator => window.view.getByRole('option');
  const chips = (): Locator => window.view.locator('.composer .chip');
  const account = (): Locator => window.view.locator('.attachments-account');

  async function type(text: string): Promise<void> {
    await window.composer.focus();
    await window.page.keyboard.type(text, { delay: 20 });
  }

  async function clear(): Promise<void> {
    await window.composer.fill('');
  }

  /** The option that the keyboard is at, as screen readers are told. */
  async function active(): Promise<string> {
    return (await window.view.locator('[role=option][aria-selected=true]').allInnerTexts()).join();
  }

  async function offered(wanted: RegExp): Promise<void> {
    await until(
      async () => (await options().allInnerTexts()).some((text) => wanted.test(text)),
      async () => `offered are: ${(await options().allInnerTexts()).join(' | ')}`,
    );
  }

  /** Waits until the chips are counted, and returns their words. */
  async function counted(count: number): Promise<string[]> {
    await until(
      async () => (await window.view.locator('.composer .chip-tokens').count()) === count,
      async () => `chips: ${(await chips().allInnerTexts()).join(' | ')}; ${await account().innerText()}`,
    );
    return chips().allInnerTexts();
  }

  async function faults(): Promise<string[]> {
    const { violations } = await new AxeBuilder({ page: window.page })
      .include(['iframe.webview.ready', '#active-frame', 'body'])
      .analyze();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
  }

  test('@ offers what can be mentioned; arrow keys, Tab and Escape work, and the list tells itself', async () => {
    await type('See @');
    await offered(/@git/);
    assert.equal(await options().count(), 7);
    assert.match(await active(), /@file/);
    await window.shot('mentions-kinds');
    await window.page.keyboard.press('ArrowUp');
    assert.match(await active(), /@git/, 'around the end');
    await window.page.keyboard.press('ArrowDown');
    await window.page.keyboard.press('ArrowDown');
    assert.match(await active(), /@folder/);
    const told = await window.composer.evaluate((box) => ({
      option: box.ariaActiveDescendantElement?.textContent,
      list: box.ariaControlsElements?.[0]?.getAttribute('role'),
    }));
    assert.match(told.option ?? '', /@folder/);
    assert.equal(told.list, 'listbox');
    assert.deepEqual(await faults(), []);
    await window.page.keyboard.press('Escape');
    assert.equal(await options().count(), 0);
    assert.equal(await window.composer.inputValue(), 'See @');
    await type('fo');
    await offered(/@folder/);
    await window.page.keyboard.press('Tab');
    await offered(/src\//);
    assert.equal(await window.composer.inputValue(), 'See @folder:');
    await window.page.keyboard.press('Enter');
    assert.equal(await window.composer.inputValue(), 'See @src/ ');
    const [chip] = await counted(1);
    assert.match(chip!, /src\/\s*2 files, \d+ tokens/);
    await clear();
  });

  test('a file and a symbol: what their chips say is what the prompt takes', async () => {
    await type('What does @file:calc');
    await offered(/calculator\.ts/);
    await window.page.keyboard.press('Enter');
    assert.equal(await window.composer.inputValue(), 'What does @src/calculator.ts ');
    await type('do with @symbol:BoundedS');
    await offered(/BoundedStack\s*src\/stack\.ts:2/);
    await window.shot('mentions-symbol');
    await window.page.keyboard.press('Enter');
    const [file, symbol] = await counted(2);
    await window.shot('mentions-chips');
    const tokens = (text: string): number => Number(/([\d,]+) token/.exec(text)?.[1]?.replace(',', ''));
    assert.match(await account().innerText(), /^Needs [\d,]+ of 2,032 tokens$/);
    await type('?');
    const before = await window.exchanges.count();
    await window.page.keyboard.press('Enter');
    const exchange = window.exchanges.nth(before);
    await window.finished(exchange);
    const remark = async (name: string): Promise<string> =>
      (await exchange.locator('.inclusion .files li', { hasText: name }).locator('.remark').textContent()) ??
      '';
    assert.equal(await remark('src/calculator.ts'), `${tokens(file!)}, attached`);
    // Its lines beside the whole file, which is there as well.
    const whole = Number((await remark('src/stack.ts')).split(',')[0]);
    assert.ok(whole > tokens(symbol!) && tokens(symbol!) > 20, `${whole} and ${symbol}`);
    assert.equal(await chips().count(), 0, 'attachments belong to one question');
    assert.match(await exchange.locator('.question .chips').innerText(), /calculator\.ts\s*BoundedStack/);
  });

  test('git, problems and the selection come from the editor, and say when there is nothing', async () => {
    await type('@git:');
    await offered(/Changes\s*1 file, not staged, on main/);
    await offered(/Stack and calculator/);
    await window.shot('mentions-git');
    await window.page.keyboard.press('Enter');
    const [git] = await counted(1);
    assert.match(git!, /unstaged changes\s*\d+ tokens/);
    await type('@git:stack');
    await until(
      async () => (await options().count()) === 1,
      async () => `offered are: ${(await options().allInnerTexts()).join(' | ')}`,
    );
    await window.page.keyboard.press('Enter');
    assert.match((await counted(2))[1]!, /commit [0-9a-f]{8}: Stack and calculator/);
    await clear();
    await type('@problems:');
    await offered(/In src\/stack\.ts\s*none/);
    await window.page.keyboard.press('Enter');
    await until(
      async () => (await account().innerText()) === 'The editor shows no problems in src/stack.ts.',
      () => account().innerText(),
    );
    await window.shot('mentions-nothing');
    assert.equal(await chips().count(), 2);
    await window.editor.click();
    await window.page.keyboard.press('Control+Home');
    await window.page.keyboard.press('Shift+ArrowDown');
    await clear();
    await type('Why @sel');
    await offered(/@selection/);
    await window.page.keyboard.press('Enter');
    assert.match((await counted(3))[2]!, /stack\.ts:1\s*\d+ tokens/);
    await window.view.getByRole('button', { name: 'Remove stack.ts:1' }).click();
    assert.equal((await counted(2)).length, 2);
    await clear();
  });

  test('the output of the last command in a terminal', async () => {
    await window.command('Terminal: Create New Terminal');
    const terminal = window.page.locator('.terminal-wrapper.active .xterm-helper-textarea');
    await terminal.waitFor({ state: 'attached' });
    await terminal.focus();
    await window.page.keyboard.type('sleep 1; echo marigold-$((40+1)); false');
    await window.page.keyboard.press('Enter');
    // The list is of the moment: asked for until the shell has told of the command, and that it ended.
    await until(
      async () => {
        await clear();
        await type('@terminal:');
        await window.view.locator('.mentions').waitFor();
        return /exit code 1/.test(await window.view.locator('.mentions').innerText());
      },
      () => window.view.locator('.mentions').innerText(),
    );
    await offered(/sleep 1; echo marigold-\$\(\(40\+1\)\); false.*exit code 1/s);
    await window.page.keyboard.press('Enter');
    assert.match((await counted(1))[0]!, /echo marigold/);
    await clear();
    await type('Which flower?');
    await window.page.keyboard.press('Enter');
    await window.finished(window.lastExchange);
    const row = window.lastExchange.locator('.inclusion .files li', {
      hasText: 'terminal: sleep 1; echo marigold',
    });
    assert.match((await row.textContent()) ?? '', /\d+, attached/);
    await window.command('View: Toggle Terminal');
  });

  test('what does not fit is refused before it is sent, in words with the numbers', async () => {
    fs.writeFileSync(path.join(workspace.dir, 'long.md'), 'many different words stand here\n'.repeat(700));
    await clear();
    await type('Sum up @file:long');
    await offered(/long\.md/);
    await window.page.keyboard.press('Enter');
    await counted(1);
    assert.match(
      await account().innerText(),
      /^Does not fit: the prompt would need [\d,]+ of 2,032 tokens\.$/,
    );
    const before = await window.exchanges.count();
    await window.page.keyboard.press('Enter');
    await until(
      async () => (await account().innerText()).startsWith('The question with what is attached needs'),
      () => account().innerText(),
    );
    assert.match(await account().innerText(), /needs [\d,]+ tokens; 2,032 fit\. Remove an attachment/);
    assert.equal(await window.exchanges.count(), before);
    assert.equal(await window.composer.inputValue(), 'Sum up @long.md');
    await window.shot('mentions-refused');
    fs.rmSync(path.join(workspace.dir, 'long.md'));
    await clear();
  });

  test('files dragged with Shift held from the explorer, and pasted paths, are attached', async () => {
    await window.command('View: Show Explorer');
    const inExplorer = window.page.locator('.explorer-folders-view .monaco-list-row', {
      hasText: 'README.md',
    });
    await inExplorer.waitFor();
    const data = await inExplorer.evaluateHandle((row) => {
      // What the editor itself gives a drag: taken over as it is, for the view is not beside the explorer.
      const transfer = new DataTransfer();
      row.dispatchEvent(new DragEvent('dragstart', { bubbles: true, dataTransfer: transfer }));
      return Object.fromEntries(transfer.types.map((type) => [type, transfer.getData(type)]));
    });
    const dragged = await data.jsonValue();
    await window.openView();
    await window.view.locator('.composer').evaluate((composer, items) => {
      const transfer = new DataTransfer();
      for (const [type, text] of Object.entries(items)) transfer.setData(type, text);
      composer.dispatchEvent(
        new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: transfer }),
      );
    }, dragged);
    assert.match((await counted(1))[0]!, /README\.md\s*\d+ tokens/);
    await window.composer.focus();
    await window.page.evaluate(
      (text) => navigator.clipboard.writeText(text),
      path.join(workspace.dir, 'src'),
    );
    await window.page.keyboard.press('Control+V');
    assert.match((await counted(2))[1]!, /src\/\s*2 files/);
    await clear();
  });

  test('a tab dragged with Shift held is attached', async () => {
    const tab = await window.page.locator('.tab', { hasText: 'stack.ts' }).first().boundingBox();
    const box = await window.view.locator('.composer').boundingBox();
    assert.ok(tab && box);
    await window.page.mouse.move(tab.x + 40, tab.y + 15);
    await window.page.mouse.down();
    await window.page.mouse.move(tab.x + 60, tab.y + 25, { steps: 5 });
    await window.page.keyboard.down('Shift');
    for (const share of [0.1, 0.4, 0.7, 0.95, 1]) {
      const x = tab.x + 40 + (box.x + box.width / 2 - tab.x - 40) * share;
      await window.page.mouse.move(x, tab.y + 15 + (box.y + box.height / 2 - tab.y - 15) * share, {
        steps: 4,
      });
    }
    await window.shot('mentions-drag');
    await window.page.mouse.up();
    await window.page.keyboard.up('Shift');
    assert.match((await counted(1))[0]!, /stack\.ts\s*\d+ tokens/);
  });

  test('a name in an answer leads to its definition, by keyboard too', async () => {
    const conversation: ChatConversation = {
      exchanges: [
        {
          id: 'named',
          question: 'What is there?',
          attachments: [{ kind: 'folder', path: 'src' }],
          answer: 'The class `BoundedStack` has `pop()`; `nothing` is not there.',
          phase: 'done',
          citations: [],
          symbols: [
            { name: 'BoundedStack', places: [{ path: 'src/stack.ts', line: 1, symbol: 'BoundedStack' }] },
            { name: 'pop()', places: [{ path: 'src/stack.ts', line: 14, symbol: 'pop' }] },
          ],
        },
      ],
    };
    // What the extension would send if a model wrote this; the links speak to the real extension.
    await window.view.locator('body').evaluate((_body, shown) => {
      globalThis.postMessage({ kind: 'conversation', conversation: shown, attachments: [] }, '*');
    }, conversation);
    const links = window.view.locator('.answer button.symbol');
    assert.deepEqual(await links.allInnerTexts(), ['BoundedStack', 'pop()']);
    await window.shot('mentions-links');
    await links.last().focus();
    await window.page.keyboard.press('Enter');
    await window.page.locator('.statusbar-item', { hasText: 'Ln 14, Col 6 (3 selected)' }).waitFor();
    // The answer said line 1; the name stands in line 2 now.
    await links.first().click();
    await window.page.locator('.statusbar-item', { hasText: 'Ln 2, Col 26 (12 selected)' }).waitFor();
  });

  for (const [name, theme] of [
    ['dark', 'Dark 2026'],
    ['high-contrast', 'Dark High Contrast'],
    ['high-contrast-light', 'Light High Contrast'],
    ['light', 'Light 2026'],
  ] as const) {
    test(`the list and the chips have no fault that axe knows, theme ${name}`, async () => {
      await window.pickTheme(theme);
      await type('@file:stack');
      await offered(/stack\.ts/);
      await window.page.keyboard.press('Enter');
      await counted(1);
      await type('and @');
      await offered(/@git/);
      await window.shot(`mentions-${name}`);
      assert.deepEqual(await faults(), []);
      await clear();
    });
  }

  test('fits a narrow window', async () => {
    await window.page.setViewportSize({ width: 480, height: 700 });
    await type('@folder:');
    await offered(/src\//);
    await window.page.keyboard.press('Enter');
    await counted(1);
    await type('and @symbol:Bounded');
    await offered(/BoundedStack/);
    await window.shot('mentions-narrow');
    const overflow = await window.view
      .locator('body')
      .evaluate((body) => body.scrollWidth - body.clientWidth);
    await window.page.setViewportSize({ width: 1280, height: 800 });
    assert.ok(overflow <= 0, `the page is ${overflow} pixels wider than the view`);
    await clear();
  });
});
