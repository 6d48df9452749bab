import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { ChatConversation, ChatExchange } from '../../../protocol';
import { LongviewWindow } from './longview-window';
import { smallWorkspace, type Workspace } from './workspaces';

/** Each would set `window.owned`, load from elsewhere or leave the page if anything of it came alive. */
const HOSTILE = [
  '<script>window.owned = 1</script>',
  '<img src=x onerror="window.owned = 1">',
  '<img src="http://127.0.0.1:9/pixel.png">',
  '<svg onload="window.owned = 1"><circle r="4"/></svg>',
  '<iframe srcdoc="<script>parent.owned = 1</script>"></iframe>',
  '<a href="javascript:window.owned = 1" id="bait">bait</a>',
  '[link](javascript:window.owned=1) ![image](http://127.0.0.1:9/image.png)',
  '<style>body { display: none }</style><form action="http://127.0.0.1:9/"><input name="q"></form>',
  '```html\n<script>window.owned = 1</script>\n```',
  '<vscode-button onclick="window.owned = 1">press</vscode-button>',
].join('\n\n');

suite('text that others wrote', () => {
  let workspace: Workspace;
  let window: LongviewWindow;
  let failed = false;
  const outside: string[] = [];

  suiteSetup(async () => {
    workspace = smallWorkspace();
    fs.writeFileSync(path.join(workspace.dir, 'hostile <b>name.html'), HOSTILE);
    window = await LongviewWindow.open({
      folder: workspace.dir,
      settings: { 'longview.maxAnswerTokens': 60 },
    });
    window.page.on('request', (request) => {
      if (request.url().includes(':9/')) outside.push(request.url());
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

  /** Nothing ran, nothing was fetched, nothing but plain elements is in the transcript. */
  async function assertInert(): Promise<void> {
    const found = await window.view.locator('.transcript').evaluate((transcript) => ({
      owned: (globalThis as { owned?: unknown }).owned,
      elements: [
        ...transcript.querySelectorAll('script, iframe, style, form, input, img, object, embed, link'),
      ].map((each) => each.outerHTML),
      handlers: [...transcript.querySelectorAll('*')].flatMap((each) =>
        each.getAttributeNames().filter((name) => name.startsWith('on')),
      ),
      addresses: [...transcript.querySelectorAll('[href]')]
        .map((each) => each.getAttribute('href') ?? '')
        .filter((address) => address.startsWith('javascript:')),
    }));
    assert.deepEqual(found, { owned: undefined, elements: [], handlers: [], addresses: [] });
    assert.deepEqual(outside, []);
  }

  test('in a question stays text', async () => {
    const exchange = await window.ask(`What is ${HOSTILE.split('\n').slice(0, 1).join(' ')} for?`);
    await window.finished(exchange);
    assert.ok((await exchange.locator('.question').innerText()).includes('<script>'));
    await assertInert();
  });

  test('in a file does no harm when it is asked about', async () => {
    const exchange = await window.ask('Quote the html file word for word.');
    await window.finished(exchange);
    await assertInert();
  });

  test('in an answer does no harm', async () => {
    const exchange: ChatExchange = {
      id: 'hostile',
      question: 'What?',
      attachments: [],
      answer: HOSTILE,
      phase: 'done',
      citations: [
        {
          path: '<img src=x onerror="window.owned = 1">',
          startLine: 1,
          endLine: 1,
          verified: false,
          origin: 'written',
          claim: HOSTILE,
        },
      ],
    };
    // What the extension would send if a model wrote this: the page's own code draws it.
    const conversation: ChatConversation = { exchanges: [exchange] };
    await window.view.locator('body').evaluate((_body, shown) => {
      globalThis.postMessage({ kind: 'conversation', conversation: shown, attachments: [] }, '*');
    }, conversation);
    await window.view.locator('.answer', { hasText: 'bait' }).waitFor();
    await window.view.getByText('bait').first().click();
    await window.shot('view-hostile');
    await assertInert();
  });
});
