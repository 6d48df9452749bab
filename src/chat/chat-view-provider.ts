import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { ChatHostMessage, ChatViewMessage } from '../../protocol';
import type { Disposable } from '../session/signal';
import { chatHtml } from './chat-html';
import type { ChatSession } from './chat-session';
import { CompletionDesk } from './mentions/completion-desk';
import type { Mentions } from './mentions/mentions';
import { handleViewMessage, viewHandlers } from './view-handlers';
import { parseViewMessage } from './view-messages';
import type { WelcomeSource } from './welcome';

export const CHAT_VIEW = 'longview.chat';

/** Messages that attach something. */
const ATTACHING: readonly ChatViewMessage['kind'][] = ['attach', 'mention', 'drop'];

/** The chat view: passes messages between its page and the session. The page may come and go. */
export class ChatViewProvider implements vscode.WebviewViewProvider, vscode.Disposable {
  private view: vscode.WebviewView | undefined;
  /** Messages that wait for a page that is being opened. */
  private waiting: ChatHostMessage[] = [];
  private ready = false;
  private readonly subscriptions: Disposable[];
  private readonly handlers;

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly session: ChatSession,
    mentions: Mentions,
    private readonly welcome: WelcomeSource,
    private readonly log: vscode.LogOutputChannel,
  ) {
    const completions = new CompletionDesk(mentions, (message) => this.post(message));
    this.handlers = viewHandlers(session, mentions, completions, () => this.sync());
    this.subscriptions = [
      session.messages.on((message) => this.post(message)),
      welcome.changed.on((current) => this.post({ kind: 'welcome', welcome: current })),
    ];
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    this.ready = false;
    const assets = vscode.Uri.joinPath(this.extensionUri, 'out', 'webview');
    view.webview.options = { enableScripts: true, localResourceRoots: [assets] };
    const address = (name: string) => view.webview.asWebviewUri(vscode.Uri.joinPath(assets, name)).toString();
    const parts = [
      view.webview.onDidReceiveMessage((message: unknown) => this.receive(message)),
      view.onDidDispose(() => {
        this.view = undefined;
        this.ready = false;
        for (const part of parts) part.dispose();
      }),
    ];
    view.webview.html = chatHtml(
      {
        cspSource: view.webview.cspSource,
        script: address('chat.js'),
        styles: address('chat.css'),
        icons: address('codicon.css'),
      },
      randomBytes(16).toString('base64url'),
    );
  }

  /** Shows the view with the keyboard in its question box. */
  async focus(): Promise<void> {
    await vscode.commands.executeCommand(`${CHAT_VIEW}.focus`);
    this.postWhenReady({ kind: 'focus' });
  }

  /** Shows the view with the details of one answer open. */
  async reveal(exchangeId: string): Promise<void> {
    await vscode.commands.executeCommand(`${CHAT_VIEW}.focus`);
    this.postWhenReady({ kind: 'reveal', id: exchangeId });
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private post(message: ChatHostMessage): void {
    if (this.view && this.ready) void this.view.webview.postMessage(message);
  }

  private postWhenReady(message: ChatHostMessage): void {
    if (this.ready) this.post(message);
    else this.waiting.push(message);
  }

  private receive(data: unknown): void {
    const parsed = parseViewMessage(data);
    if ('problem' in parsed) {
      this.log.warn(`The chat view sent a message that is left out: ${parsed.problem}`);
      return;
    }
    handleViewMessage(this.handlers, parsed.message).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      this.log.warn(text);
      // Said where something was to be attached.
      if (ATTACHING.includes(parsed.message.kind)) {
        this.post({ kind: 'refused', question: '', reason: text });
        return;
      }
      void vscode.window.showWarningMessage(text);
    });
  }

  private sync(): void {
    this.ready = true;
    this.post(this.session.snapshot());
    this.post({ kind: 'welcome', welcome: this.welcome.open() });
    for (const message of this.waiting.splice(0)) this.post(message);
  }
}
