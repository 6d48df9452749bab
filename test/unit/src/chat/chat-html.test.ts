import assert from 'node:assert/strict';
import { chatHtml } from '../../../../src/chat/chat-html';

const ADDRESSES = {
  cspSource: 'https://page.example',
  script: 'https://page.example/chat.js',
  styles: 'https://page.example/chat.css',
  icons: 'https://page.example/codicon.css',
};

suite('page of the chat view', () => {
  const html = chatHtml(ADDRESSES, 'n0nce');
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)![1]!;

  test('allows its own script, styles and font, and nothing else', () => {
    assert.deepEqual(policy.split('; '), [
      "default-src 'none'",
      "script-src 'nonce-n0nce'",
      'style-src https://page.example',
      'font-src https://page.example',
      "base-uri 'none'",
      "form-action 'none'",
    ]);
  });

  test('holds no script or style of its own, and gives every script the nonce', () => {
    const scripts = html.match(/<script\b[^>]*>/g) ?? [];
    assert.deepEqual(scripts, ['<script nonce="n0nce" src="https://page.example/chat.js">']);
    assert.doesNotMatch(html, /<style|style=|\son\w+=/);
  });

  test('names the icon sheet as the components look for it', () => {
    assert.match(html, /href="https:\/\/page\.example\/codicon\.css" id="vscode-codicon-stylesheet"/);
  });
});
