import assert from 'node:assert/strict';
import AxeBuilder from '@axe-core/playwright';
import { LongviewWindow, until } from './longview-window';
import { smallWorkspace, type Workspace } from './workspaces';

/** Name of the picture → label of VS Code's theme and the class that its pages then have. */
const THEMES: Record<string, { theme: string; bodyClass: string }> = {
  light: { theme: 'Light 2026', bodyClass: 'vscode-light' },
  dark: { theme: 'Dark 2026', bodyClass: 'vscode-dark' },
  'high-contrast': { theme: 'Dark High Contrast', bodyClass: 'vscode-high-contrast' },
  'high-contrast-light': { theme: 'Light High Contrast', bodyClass: 'vscode-high-contrast-light' },
};

suite('the view for every eye and hand', () => {
  let workspace: Workspace;
  let window: LongviewWindow;
  let failed = false;

  suiteSetup(async () => {
    workspace = smallWorkspace();
    window = await LongviewWindow.open({
      folder: workspace.dir,
      settings: { 'longview.maxAnswerTokens': 120 },
    });
    await window.openView();
    await window.finished(await window.ask('Show the code of evaluate and say in which file it is.'));
  });
  teardown(function () {
    failed ||= this.currentTest?.state === 'failed';
  });
  suiteTeardown(async () => {
    await window.close(failed);
    workspace.dispose();
  });

  for (const [name, { theme, bodyClass }] of Object.entries(THEMES)) {
    test(`has no accessibility fault that axe knows, theme ${name}`, async () => {
      await window.pickTheme(theme);
      const body = window.view.locator('body');
      await until(
        async () => (await body.getAttribute('class'))?.split(' ').includes(bodyClass) ?? false,
        async () => `the page has the classes ${await body.getAttribute('class')}`,
      );
      await window.shot(`view-${name}`);
      const { violations } = await new AxeBuilder({ page: window.page })
        .include(['iframe.webview.ready', '#active-frame', 'body'])
        .analyze();
      const faults = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
      assert.deepEqual(faults, []);
    });
  }

  test('fits a narrow window', async () => {
    await window.page.setViewportSize({ width: 480, height: 700 });
    const overflow = await window.view
      .locator('body')
      .evaluate((body) => body.scrollWidth - body.clientWidth);
    await window.shot('view-narrow');
    await window.page.setViewportSize({ width: 1280, height: 800 });
    assert.ok(overflow <= 0, `the page is ${overflow} pixels wider than the view`);
  });

  test('is usable by keyboard alone', async () => {
    await window.composer.focus();
    await window.page.keyboard.type('Which operators are there?');
    const before = await window.exchanges.count();
    await window.page.keyboard.press('Enter');
    await window.finished(window.exchanges.nth(before));
    await window.page.keyboard.press('ArrowUp');
    assert.equal(await window.composer.inputValue(), 'Which operators are there?');
  });
});
