import type { LogOutputChannel } from 'vscode';
import { Emitter } from 'vscode-jsonrpc';
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type ServerOptions,
  State,
  TransportKind,
} from 'vscode-languageclient/node';
import type { InitializationOptions, NotificationSpec, RequestSpec, StreamParams } from '../../protocol';
import { CrashWindow } from './crash-window';
import type { Disposable, RequestOptions, ServerConnection, ServerState } from './server-connection';
import { namedError, sendTyped } from './typed-requests';

export interface LanguageClientConnectionOptions {
  /** Compiled `server/main.ts`; absolute. */
  serverPath: string;
  initialization: InitializationOptions;
  log: LogOutputChannel;
}

/**
 * The server as a child of the extension host, over node IPC. Starts with the first request and again after a
 * crash; given up after several crashes in a short time, until `restart`.
 */
export class LanguageClientConnection implements ServerConnection {
  private readonly client: LanguageClient;
  private readonly states = new Emitter<ServerState>();
  private readonly crashes = new CrashWindow(Date.now);
  private wasRunning = false;

  constructor({ serverPath, initialization, log }: LanguageClientConnectionOptions) {
    const server = { module: serverPath, transport: TransportKind.ipc };
    const serverOptions: ServerOptions = {
      run: server,
      debug: { ...server, options: { execArgv: ['--nolazy', '--inspect=6009'] } },
    };
    const clientOptions: LanguageClientOptions = {
      // No document sync: the server reads files, and unsaved text comes by `longview/workspace/overlay`.
      documentSelector: [],
      initializationOptions: initialization,
      outputChannel: log,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.onClosed(),
      },
    };
    this.client = new LanguageClient('longview', 'Longview', serverOptions, clientOptions);
    this.client.onDidChangeState(({ newState }) => this.onClientState(newState));
  }

  async request<Params extends object, Result, Event = never>(
    spec: RequestSpec<Params, Result, Event>,
    params: Omit<Params, keyof StreamParams>,
    options: RequestOptions<Event> = {},
  ): Promise<Result> {
    await this.start();
    return sendTyped(this.client, spec, params, options);
  }

  async notify<Params>(spec: NotificationSpec<Params>, params: Params): Promise<void> {
    await this.start();
    await this.client.sendNotification(spec.method, params);
  }

  onNotification<Params>(spec: NotificationSpec<Params>, listener: (params: Params) => void): Disposable {
    return this.client.onNotification(spec.method, listener);
  }

  onState(listener: (state: ServerState) => void): Disposable {
    return this.states.event(listener);
  }

  /** Ends the server and starts a fresh one, also after it was given up. */
  async restart(): Promise<void> {
    this.crashes.clear();
    if (this.client.isRunning()) await this.client.stop();
    await this.start();
  }

  async dispose(): Promise<void> {
    this.states.dispose();
    await this.client.dispose();
  }

  private async start(): Promise<void> {
    try {
      await this.client.start();
    } catch (error) {
      throw namedError(error);
    }
  }

  private onClosed(): CloseHandlerResult {
    if (this.crashes.record()) {
      const message = 'The Longview server ended unexpectedly and is started again.';
      this.states.fire({ kind: 'restarting', message });
      return { action: CloseAction.Restart, handled: true };
    }
    const message = `The Longview server ended ${this.crashes.count} times in a short while and stays down.`;
    this.states.fire({ kind: 'stopped', message });
    return { action: CloseAction.DoNotRestart, handled: true };
  }

  private onClientState(state: State): void {
    if (state !== State.Running) return;
    this.states.fire({ kind: this.wasRunning ? 'restarted' : 'running' });
    this.wasRunning = true;
  }
}
