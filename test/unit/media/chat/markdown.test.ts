import assert from 'node:assert/strict';
import { renderBlocks } from '../../../../media/chat/markdown';
import type { Citation } from '../../../../protocol';

const CITATIONS: Citation[] = [
  { path: 'src/a.ts', startLine: 12, endLine: 20, verified: true, origin: 'written', claim: '' },
];
const render = (markdown: string, citations: Citation[] = []): string =>
  renderBlocks(markdown, citations).join('');

suite('Markdown of answers', () => {
  for (const hostile of [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    'a <b onclick=alert(1)>b</b>',
    '<iframe src="https://x.example"></iframe>',
    '`<script>alert(1)</script>`',
    '```html\n<script>alert(1)</script>\n```',
    '```"><script>alert(1)</script>\nx\n```',
    '    <script>alert(1)</script>',
    '| <img src=x onerror=alert(1)> |\n|---|\n| <svg onload=alert(1)> |',
  ]) {
    test(`HTML comes out as text: ${JSON.stringify(hostile)}`, () => {
      assert.doesNotMatch(render(hostile), /<(script|img|b|iframe|svg)\b/i);
    });
  }

  test('a name in backticks that is defined is marked; others, and code blocks, are not', () => {
    const symbols = [{ name: 'run()', places: [{ path: 'a.ts', line: 1, symbol: 'run' }] }];
    const html = renderBlocks('`run()` and `run` and run()\n\n```\nrun()\n```', [], symbols).join('');
    assert.equal(html.match(/data-symbol="0"/g)?.length, 1);
    assert.match(html, /<code data-symbol="0">run\(\)<\/code> and <code>run<\/code>/);
  });

  for (const address of [
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'vbscript:x',
    'data:text/html,x',
    'command:workbench.action.quit',
    'vscode://x/y',
    'file:///etc/passwd',
    '//x.example',
    '/etc/passwd',
  ]) {
    test(`is no link: ${address}`, () => {
      assert.doesNotMatch(render(`[text](${address})`), /<a\b/);
      assert.doesNotMatch(render(`[text][1]\n\n[1]: ${address}`), /<a\b/);
      assert.doesNotMatch(render(`<${address}>`), /<a\b/);
    });
  }

  test('web addresses are links; images are not loaded', () => {
    assert.match(render('[good](https://example.com)'), /<a href="https:\/\/example\.com">good<\/a>/);
    assert.doesNotMatch(render('![x](https://example.com/x.png)'), /<img/);
  });

  test('code is coloured where the language is known, and always escaped', () => {
    assert.match(render('```ts\nconst a = "<b>";\n```'), /hljs-keyword.*&lt;b&gt;/s);
    assert.match(render('```brainf\n<b>\n```'), /<pre data-language="brainf"><code>&lt;b&gt;/);
    assert.match(render('```\n<b>\n```'), /<pre data-language=""><code>&lt;b&gt;/);
  });

  test('one string per top-level block; a growing answer changes only its last ones', () => {
    const text = '# Title\n\n- one\n- two\n\n```ts\nlet a\n```\n\nLast words';
    const blocks = renderBlocks(text, []);
    assert.equal(blocks.length, 4);
    for (let end = text.indexOf('```'); end < text.length; end++) {
      assert.deepEqual(renderBlocks(text.slice(0, end), []).slice(0, 2), blocks.slice(0, 2));
    }
  });

  test('half a code block is a code block already', () => {
    assert.match(render('```ts\nlet a'), /<pre/);
  });

  test('cited places are marked, in text and in code; the same words in a code block are not', () => {
    assert.match(
      render('See src/a.ts:12-20.', CITATIONS),
      /<span data-citation="0">src\/a\.ts:12-20<\/span>\./,
    );
    assert.match(render('`src/a.ts:12-20`', CITATIONS), /<code><span data-citation="0">/);
    assert.doesNotMatch(render('```\nsrc/a.ts:12-20\n```', CITATIONS), /data-citation/);
    const hostile = [{ ...CITATIONS[0]!, path: '<img src=x>' }];
    assert.doesNotMatch(render('at <img src=x>:12-20', hostile), /<img/);
  });

  test('empty and endless answers', () => {
    assert.deepEqual(renderBlocks('', []), []);
    assert.ok(render('a'.repeat(200_000)).length > 200_000);
    assert.ok(render('['.repeat(2_000)).length > 0);
  });
});
