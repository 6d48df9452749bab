import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import {
  createMessageConnection,
  Emitter,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import type { InitializationOptions, NotificationSpec, RequestSpec, StreamParams } from '../../protocol';
import {
  type Disposable,
  type RequestOptions,
  type ServerConnection,
  ServerError,
  type ServerState,
} from './server-connection';
import { namedError, sendTyped } from './typed-requests';

const EXIT_GRACE_MS = 3000;
const STDERR_TAIL_CHARS = 4096;

export interface StdioConnectionOptions {
  /** Compiled `server/main.ts`; absolute. */
  serverPath: string;
  initialization: InitializationOptions;
  /** Takes what the server logs, line by line. */
  log: (line: string) => void;
}

/** A server of its own for a program without an editor, spoken to over stdin and stdout. Not restarted. */
export class StdioConnection implements ServerConnection {
  private readonly rpc: MessageConnection;
  private readonly states = new Emitter<ServerState>();
  private readonly ended: Promise<void>;
  private stderrTail = '';
  private gone: ServerError | undefined;
  private disposing = false;

  private constructor(
    private readonly child: ChildProcess & { stdin: Writable; stdout: Readable; stderr: Readable },
    log: (line: string) => void,
  ) {
    this.rpc = createMessageConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    );
    // A broken pipe is told by the end of the process, with its reason.
    this.rpc.onError(([error]) => log(`connection: ${error.message}`));
    this.rpc.onNotification('window/logMessage', ({ message }: { message: string }) => log(message));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderrTail = (this.stderrTail + text).slice(-STDERR_TAIL_CHARS);
      log(text.trimEnd());
    });
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => this.onEnd(error.message, resolve));
      child.once('close', (code, signal) =>
        this.onEnd(signal ? `signal ${signal}` : `exit code ${String(code)}`, resolve),
      );
    });
    this.rpc.listen();
  }

  /** Starts a server and shakes hands. @throws ServerError when it cannot start or refuses */
  static async start({ serverPath, initialization, log }: StdioConnectionOptions): Promise<StdioConnection> {
    const child = spawn(process.execPath, [serverPath, '--stdio'], { stdio: ['pipe', 'pipe', 'pipe'] });
    const connection = new StdioConnection(child, log);
    try {
      await connection.rpc.sendRequest('initialize', {
        processId: process.pid,
        rootUri: null,
        capabilities: {},
        initializationOptions: initialization,
      });
      await connection.rpc.sendNotification('initialized', {});
    } catch (error) {
      const reason = connection.gone ?? namedError(error);
      await connection.kill();
      throw reason;
    }
    return connection;
  }

  get serverPid(): number | undefined {
    return this.child.pid;
  }

  async request<Params extends object, Result, Event = never>(
    spec: RequestSpec<Params, Result, Event>,
    params: Omit<Params, keyof StreamParams>,
    options: RequestOptions<Event> = {},
  ): Promise<Result> {
    if (this.gone) throw this.gone;
    try {
      return await sendTyped(this.rpc, spec, params, options);
    } catch (error) {
      // Set by now when the process ended: its reason says more than the closed pipe.
      throw (this.gone as ServerError | undefined) ?? error;
    }
  }

  async notify<Params>(spec: NotificationSpec<Params>, params: Params): Promise<void> {
    if (this.gone) throw this.gone;
    await this.rpc.sendNotification(spec.method, params);
  }

  onNotification<Params>(spec: NotificationSpec<Params>, listener: (params: Params) => void): Disposable {
    return this.rpc.onNotification(spec.method, listener);
  }

  onState(listener: (state: ServerState) => void): Disposable {
    return this.states.event(listener);
  }

  async dispose(): Promise<void> {
    this.disposing = true;
    if (!this.gone) {
      const timer = setTimeout(() => this.child.kill('SIGKILL'), EXIT_GRACE_MS);
      await this.sayGoodbye();
      await this.ended;
      clearTimeout(timer);
    }
    this.states.dispose();
  }

  private async sayGoodbye(): Promise<void> {
    try {
      await this.rpc.sendRequest('shutdown');
      await this.rpc.sendNotification('exit');
    } catch (error) {
      // It ended while it was told to: that is what was wanted.
      if (!this.gone) throw error;
    }
  }

  private async kill(): Promise<void> {
    this.disposing = true;
    this.child.kill('SIGKILL');
    await this.ended;
  }

  private onEnd(how: string, done: () => void): void {
    if (!this.gone) {
      const lastLine = this.stderrTail.trim().split('\n').at(-1);
      const message = `The Longview server ended (${how}).${lastLine ? ` It last said: ${lastLine}` : ''}`;
      this.gone = new ServerError(message, {
        code: 'internal',
        action: 'Run the command again; if the server ends again, report what it said.',
      });
      this.rpc.dispose();
      if (!this.disposing) this.states.fire({ kind: 'stopped', message });
    }
    done();
  }
}
