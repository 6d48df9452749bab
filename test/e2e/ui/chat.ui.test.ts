import assert from 'node:assert/strict';
import { answerOf, LongviewWindow, recordTexts, STATUS_ITEM, until } from './longview-window';
import { plantedWorkspace, type Workspace } from './workspaces';

suite('the chat view', () => {
  let workspace: Workspace;
  let window: LongviewWindow;
  let failed = false;

  suiteSetup(async () => {
    workspace = plantedWorkspace();
    // Greedy and short: what is under test is the view.
    window = await LongviewWindow.open({
      folder: workspace.dir,
      settings: { 'longview.maxAnswerTokens': 200, 'longview.contextTokens': 2048 },
    });
    await window.openView();
  });
  teardown(function () {
    failed ||= this.currentTest?.state === 'failed';
  });
  suiteTeardown(async () => {
    await window.close(failed);
    workspace.dispose();
  });

  test('says before the first question what it will read and which model answers', async () => {
    const welcome = window.view.locator('.welcome');
    await welcome.waitFor();
    await until(
      async () => (await welcome.innerText()).includes('SmolLM2'),
      () => welcome.innerText(),
    );
    assert.match(await welcome.innerText(), /Reads from 30 files/);
    await window.shot('view-welcome');
  });

  test('shows prefill progress in the view and in the status bar, then streams the answer', async () => {
    const percents = await recordTexts(window.view.locator('body'), '.activity-percent');
    const statuses = await recordTexts(window.page.locator('body'), STATUS_ITEM);
    const answers = await recordTexts(window.view.locator('body'), '.exchange[aria-busy="true"] .answer');
    const exchange = await window.ask('What do the services of this repository have in common?');
    const finished = window.finished(exchange);
    // Only for the picture: what is asserted is recorded.
    const reading = exchange.locator('.activity', { hasText: 'Reading' }).waitFor({ timeout: 0 });
    await Promise.race([reading, finished]);
    await window.shot('view-reading');
    await finished;

    const progress = (await percents()).filter((text) => /^\d+%$/.test(text));
    assert.ok(new Set(progress).size >= 2, `progress: ${progress.join(' ')}`);
    const counted = (await statuses()).filter((text) => /\d+% · [\d.]+/.test(text));
    assert.ok(counted.length >= 2, `status: ${(await statuses()).join(' | ')}`);
    const grown = await answers();
    assert.ok(grown.length >= 3, `the answer came in ${grown.length} pieces`);
    assert.ok(
      grown.every((text, index) => index === 0 || text.length > grown[index - 1]!.length / 2),
      'the answer did not grow',
    );
  });

  test('reads the measured TTFT in the status bar and accounts for it in the view', async () => {
    const summary = window.lastExchange.locator('.footer summary').first();
    assert.match(await summary.innerText(), /[\d.]+\s?m?s to first token · [\d,]+ tokens · \d+ of 30 files/);
    await until(
      async () => /[\d.]+\s?m?s · [\d.]+k?/.test(await window.statusItem.innerText()),
      () => window.statusItem.innerText(),
    );
    await window.statusItem.click();
    const account = window.lastExchange.locator('details.account');
    await until(
      async () => (await account.getAttribute('open')) !== null,
      () => 'a click on the status item did not open the account',
    );
    assert.match(await account.innerText(), /First token after/);
    await window.shot('view-account');
  });

  test('stops at once and answers the next question', async () => {
    const stopped = await window.ask('Describe every file in detail.');
    await window.answering(stopped);
    await window.whileEngineStandsStill(async () => {
      await window.stopButton.click();
      await window.finished(stopped);
    });
    assert.match(await stopped.innerText(), /Stopped; the answer is not complete\./);
    await window.stopButton.waitFor({ state: 'hidden' });

    const next = await window.ask('Name one file.');
    await window.finished(next);
    assert.doesNotMatch(await next.innerText(), /Stopped/);
    assert.ok((await answerOf(next)).length > 0);
  });

  test('stops while it reads, before the first token', async () => {
    await window.whileEngineStandsStill(async () => {
      const stopped = await window.ask('And which service keeps turbines?');
      await stopped.locator('.activity').waitFor();
      await window.page.keyboard.press('Escape');
      await window.finished(stopped);
      assert.match(await stopped.innerText(), /Stopped\./);
    });
    const next = await window.ask('Name another file.');
    await window.finished(next);
    assert.ok((await answerOf(next)).length > 0);
  });

  test('starts a new chat', async () => {
    await window.command('Longview: New Chat');
    await until(
      async () => (await window.exchanges.count()) === 0,
      () => 'the conversation is still there',
    );
    await window.view.locator('.welcome').waitFor();
  });
});
