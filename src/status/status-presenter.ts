import * as vscode from 'vscode';
import type { ChatSession } from '../chat/chat-session';
import { comparableExchange, measuredExchange, runningExchange } from '../chat/conversation';
import type { WelcomeSource } from '../chat/welcome';
import type { LiveSettings } from '../config';
import type { ServerSession } from '../session/server-session';
import type { Disposable } from '../session/signal';
import type { StatusItem } from './status-item';

/** Where the status comes from. */
export interface StatusSources {
  session: ChatSession;
  server: ServerSession;
  welcome: WelcomeSource;
  settings: LiveSettings;
}

/** Keeps the status-bar item and the context keys of menus in step with what happens. Owns the item. */
export class StatusPresenter implements vscode.Disposable {
  private readonly subscriptions: Disposable[];
  private readonly keys = new Map<string, boolean>();

  constructor(
    private readonly item: StatusItem,
    private readonly sources: StatusSources,
  ) {
    const draw = () => this.draw();
    const { session, server, welcome, settings } = sources;
    this.subscriptions = [
      session.changed.on(draw),
      server.engine.on(draw),
      welcome.changed.on(draw),
      settings.onDidChange('longview', draw),
    ];
    draw();
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.item.dispose();
  }

  private draw(): void {
    const { session, server, welcome, settings } = this.sources;
    const running = runningExchange(session.current);
    const measured = measuredExchange(session.current);
    const model = welcome.modelId;
    this.item.draw(
      {
        ...(server.status && { engine: server.status }),
        ...(running && { running }),
        ...(measured && { measured }),
        ...(model !== undefined && { model }),
      },
      settings.value.statusBarVisible,
    );
    this.setKey('longview.answering', running !== undefined);
    this.setKey('longview.measured', measured !== undefined);
    this.setKey('longview.comparable', comparableExchange(session.current) !== undefined);
  }

  private setKey(key: string, value: boolean): void {
    if (this.keys.get(key) === value) return;
    this.keys.set(key, value);
    void vscode.commands.executeCommand('setContext', key, value);
  }
}
