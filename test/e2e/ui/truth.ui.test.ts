import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { trueWithinTwoAttempts } from '../truth/attempts';
import { assertTrueAnswer, type CheckedAnswer } from '../truth/truth-check';
import { answerOf, LongviewWindow, TRUTH_MODEL, until } from './longview-window';
import { plantedWorkspace } from './workspaces';

/** Compiled to out/test/e2e/ui. */
const CLI = path.resolve(__dirname, '../../../cli.js');
const ANSWER_TOKENS = 120;

suite('a true answer about a repository that no model has seen', () => {
  test('in the view, with a citation that opens its lines', () => trueWithinTwoAttempts(askInTheView));
  test('on the command line', () => trueWithinTwoAttempts(askOnTheCommandLine));
});

async function askInTheView(): Promise<void> {
  const { dir, planted, dispose } = plantedWorkspace();
  const window = await LongviewWindow.open({
    folder: dir,
    settings: { 'longview.model': TRUTH_MODEL, 'longview.maxAnswerTokens': ANSWER_TOKENS },
  });
  let failed = true;
  try {
    await window.openView();
    const exchange = await window.ask(planted.question);
    await window.finished(exchange);
    await window.shot('view-truth');
    const sources = await exchange.locator('.sources li').allInnerTexts();
    const citations = sources.map(citationOf);
    assertTrueAnswer({ answer: await answerOf(exchange), citations }, planted);

    const proof = citations.findIndex(
      (each) => each.verified && each.path === planted.path && covers(each, planted.line),
    );
    await exchange.locator('.sources li button').nth(proof).click();
    const tab = window.page.getByRole('tab', { name: path.basename(planted.path) });
    await tab.waitFor();
    const position = window.page.locator('.statusbar-item', { hasText: /^Ln \d+/ });
    await until(
      async () => covers(citations[proof]!, Number(/Ln (\d+)/.exec(await position.innerText())?.[1])),
      async () => `the editor stands at ${await position.innerText()}`,
    );
    await window.shot('view-citation-opened');
    failed = false;
  } finally {
    await window.close(failed);
    dispose();
  }
}

async function askOnTheCommandLine(): Promise<void> {
  const { dir, planted, dispose } = plantedWorkspace();
  try {
    const args = ['ask', '--json', '--model', TRUTH_MODEL, '--max-tokens', String(ANSWER_TOKENS)];
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...[CLI, ...args, '--repo', dir],
      planted.question,
    ]);
    const result = JSON.parse(stdout) as CheckedAnswer & { ttftMs: number; promptTokens: number };
    assertTrueAnswer(result, planted);
    assert.ok(result.ttftMs > 0);
    assert.ok(result.promptTokens > 1000, `the prompt has only ${result.promptTokens} tokens`);
  } finally {
    dispose();
  }
}

/** `src/a.ts:3-5 (unverified)` as a citation. */
function citationOf(text: string): CheckedAnswer['citations'][number] {
  const [, file = '', start = '', end = start] = /^(.+?):(\d+)(?:-(\d+))?/.exec(text.trim()) ?? [];
  return {
    path: file,
    startLine: Number(start),
    endLine: Number(end),
    verified: !text.includes('(unverified)'),
  };
}

function covers({ startLine, endLine }: { startLine: number; endLine: number }, line: number): boolean {
  return startLine <= line && line <= endLine;
}
