import assert from 'node:assert/strict';
import { answerOf, isOnScreen, LongviewWindow, until } from './longview-window';
import { plantedWorkspace, type Workspace } from './workspaces';

suite('the conversation survives', () => {
  let workspace: Workspace;
  let window: LongviewWindow;
  let failed = false;

  suiteSetup(async () => {
    workspace = plantedWorkspace();
    window = await LongviewWindow.open({
      folder: workspace.dir,
      settings: { 'longview.maxAnswerTokens': 300, 'longview.contextTokens': 2048 },
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

  test('a window that is reloaded', async () => {
    const exchange = await window.ask('Which services are there?');
    await window.finished(exchange);
    const answer = await answerOf(exchange);
    assert.ok(answer.length > 0);
    await window.reload(['done']);
    await window.openView();
    await window.exchanges.first().waitFor();
    assert.equal(await window.exchanges.count(), 1);
    assert.equal(await answerOf(window.lastExchange), answer);
  });

  test('a window that is reloaded in the middle of an answer', async () => {
    await window.askAtLength();
    await window.whileEngineStandsStill(() => window.reload(['done', 'running']));
    await window.openView();
    await window.exchanges.nth(1).waitFor();
    const interrupted = window.lastExchange;
    assert.match(await interrupted.innerText(), /before the answer was complete/);
    await window.shot('view-interrupted');

    await interrupted.getByRole('button', { name: 'Retry' }).click();
    await window.answering(window.lastExchange);
    await window.stopButton.click();
    await window.finished(window.lastExchange);
  });

  test('an engine that is killed in the middle of an answer', async () => {
    // Without earlier turns, whose lengths differ from run to run, the model counts on for long enough.
    await window.command('Longview: New Chat');
    await window.exchanges.first().waitFor({ state: 'detached' });
    const exchange = await window.askAtLength();
    const [engine] = window.processes('engine-host');
    assert.ok(engine, 'no engine host runs');
    process.kill(engine.pid, 'SIGKILL');
    await window.finished(exchange);
    assert.match(await exchange.locator('.failure').innerText(), /engine/i);
    await until(
      () => isOnScreen(exchange.locator('.failure')),
      () => 'the failure is below the end of the screen',
    );
    await window.shot('view-engine-killed');

    const next = await window.ask('Name one service.');
    await window.finished(next);
    assert.equal(await next.locator('.failure').count(), 0);
    assert.ok((await answerOf(next)).length > 0);
  });

  test('a server that is killed in the middle of an answer', async () => {
    // Without earlier turns, whose lengths differ from run to run, the model counts on for long enough.
    await window.command('Longview: New Chat');
    await window.exchanges.first().waitFor({ state: 'detached' });
    const exchange = await window.askAtLength();
    const [server] = window.processes('server');
    assert.ok(server, 'no server runs');
    const engines = window.processes('engine-host').map(({ pid }) => pid);
    process.kill(server.pid, 'SIGKILL');
    await window.finished(exchange);
    assert.equal(await exchange.locator('.failure').count(), 1, await exchange.innerText());

    const next = await window.ask('Name another service.');
    await window.finished(next);
    assert.equal(await next.locator('.failure').count(), 0, await next.innerText());
    await until(
      () => window.processes('engine-host').every(({ pid }) => !engines.includes(pid)),
      () => 'the engine host of the killed server still runs',
    );
  });
});
