import assert from 'node:assert/strict';
import { LongviewWindow, recordTexts, until } from './longview-window';
import { smallWorkspace, type Workspace } from './workspaces';

suite('the repository before anybody asks', () => {
  let workspace: Workspace;
  let window: LongviewWindow;
  let failed = false;

  suiteSetup(async () => {
    workspace = smallWorkspace();
    window = await LongviewWindow.open({
      folder: workspace.dir,
      settings: { 'longview.warmPrefix': 'always', 'longview.contextTokens': 2048 },
    });
  });
  teardown(function () {
    failed ||= this.currentTest?.state === 'failed';
  });
  suiteTeardown(async () => {
    await window.close(failed);
    workspace.dispose();
  });

  test('the status bar counts up to "warm 100%", with nothing but the folder opened', async () => {
    const texts = await recordTexts(
      window.page.locator('.statusbar'),
      '.statusbar-item[id$="longview.ttft"]',
    );
    await until(
      async () => (await window.statusItem.innerText()).includes('warm 100%'),
      async () => `the status bar says "${await window.statusItem.innerText()}"`,
    );
    await window.shot('status-warm');
    const told = (await texts()).flatMap((text) => /warm (\d+)%/.exec(text)?.[1] ?? []).map(Number);
    assert.deepEqual(
      told,
      [...told].sort((a, b) => a - b),
      'it only ever counts up',
    );
    await window.statusItem.hover();
    const tooltip = window.page.locator('.monaco-hover', {
      hasText: 'Repository ahead of the next question',
    });
    await tooltip.first().waitFor();
    assert.match(await tooltip.first().innerText(), /100% computed/);
    await window.page.mouse.move(800, 400);
  });

  test('and the first question reads little more than itself', async () => {
    await window.openView();
    const exchange = await window.ask('What is a stack?');
    await window.finished(exchange);
    await window.statusItem.click();
    await exchange
      .getByText(/prompt tokens reused/)
      .first()
      .waitFor();
    const account = await exchange.innerText();
    const reused = /([\d,]+) of ([\d,]+) prompt tokens reused/.exec(account);
    const [cached = 0, prompt = 0] = (reused ?? []).slice(1).map((count) => Number(count.replace(/,/g, '')));
    assert.ok(prompt > 0 && prompt - cached < 100, account);
  });
});
