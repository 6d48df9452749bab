import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { CancelledError, LongviewError, messageOf } from '../errors';
import { classifyExit } from './exit-reason';
import type { HostCalls, HostMethod, HostReply, ProgressOf } from './messages';
import { readOomKills } from './oom-counter';

const STDERR_TAIL_CHARS = 8192;
const EXIT_GRACE_MS = 2000;

export interface HostProcessOptions {
  /** Compiled `engine-host/main.ts`; absolute. */
  modulePath: string;
  /** Takes every line that the process prints. */
  log: (line: string) => void;
  startTimeoutMs: number;
  /** Told of a crash before the calls in flight reject; not of a failed start or an end that was asked for. */
  onCrash: (reason: LongviewError) => void;
}

interface PendingCall {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
  onProgress: ((progress: unknown) => void) | undefined;
}

/** One forked engine host: calls out, replies in, and the reason when it ends. */
export class HostProcess {
  /** Resolves when the process has ended: with the reason, or undefined when it was asked to end. */
  readonly ended: Promise<LongviewError | undefined>;

  private readonly child: ChildProcess;
  private readonly pending = new Map<number, PendingCall>();
  private readonly oomKillsBefore = readOomKills();
  private readonly stderrEnded: Promise<void>;
  private stderrTail = '';
  private nextId = 1;
  private wasReady = false;
  private disposing = false;
  private endedBy: LongviewError | undefined;
  private onReady: () => void = () => undefined;

  private constructor(private readonly options: HostProcessOptions) {
    // `advanced` carries typed arrays; no inherited flags, or a debugger's port would be taken twice.
    this.child = fork(options.modulePath, [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    void forEachLine(this.child.stdout, options.log);
    this.stderrEnded = forEachLine(this.child.stderr, (line) => {
      this.stderrTail = `${this.stderrTail}${line}\n`.slice(-STDERR_TAIL_CHARS);
      options.log(line);
    });
    this.child.on('message', (reply: HostReply) => this.receive(reply));
    this.ended = this.watchEnd();
  }

  /** Forks the process and waits until it can take calls. @throws LongviewError why it could not start */
  static async start(options: HostProcessOptions): Promise<HostProcess> {
    const host = new HostProcess(options);
    const timer = setTimeout(() => host.child.kill('SIGKILL'), options.startTimeoutMs);
    const ready = new Promise<'ready'>((resolve) => {
      host.onReady = () => resolve('ready');
    });
    const first = await Promise.race([ready, host.ended]);
    clearTimeout(timer);
    if (first !== 'ready') throw first ?? new Error('the engine host was ended while it started');
    return host;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Runs one call in the process. Rejects with what the backend threw, or with the reason of a crash. */
  async call<Method extends HostMethod>(
    method: Method,
    argument: HostCalls[Method]['argument'],
    onProgress?: (progress: ProgressOf<Method>) => void,
  ): Promise<HostCalls[Method]['result']> {
    if (this.endedBy) throw this.endedBy;
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      // The host answers a call with the result and the progress of its method: the tables in messages.ts are the contract.
      this.pending.set(id, {
        resolve: resolve as (value: unknown) => void,
        reject,
        onProgress: onProgress as ((progress: unknown) => void) | undefined,
      });
      this.child.send({ id, method, argument }, (error) => {
        // The channel is broken: the process is ending, and its end tells everyone why.
        if (error) this.child.kill('SIGKILL');
      });
    });
  }

  /** Asks the process to end; it is killed when it does not. */
  async dispose(): Promise<void> {
    this.disposing = true;
    if (this.child.connected) this.child.disconnect();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), EXIT_GRACE_MS);
    await this.ended;
    clearTimeout(timer);
  }

  private receive(reply: HostReply): void {
    if (reply.kind === 'ready') {
      this.wasReady = true;
      this.onReady();
      return;
    }
    const call = this.pending.get(reply.id);
    if (!call) return;
    if (reply.kind === 'progress') {
      call.onProgress?.(reply.progress);
      return;
    }
    this.pending.delete(reply.id);
    if (reply.kind === 'result') call.resolve(reply.value);
    else if (reply.kind === 'cancelled') call.reject(new CancelledError());
    else
      call.reject(new LongviewError(reply.data.code, reply.message, reply.data.action, reply.data.details));
  }

  private async watchEnd(): Promise<LongviewError | undefined> {
    const exit = await new Promise<{ code: number | null; signal: NodeJS.Signals | null } | Error>(
      (resolve) => {
        this.child.once('error', resolve);
        // Not `close`, which never comes after `disconnect`.
        this.child.once('exit', (code, signal) => resolve({ code, signal }));
      },
    );
    await this.stderrEnded;
    const reason = exit instanceof Error ? cannotFork(exit) : await this.reasonFor(exit);
    this.endedBy = reason;
    if (this.wasReady && !this.disposing) this.options.onCrash(reason);
    // Whoever ends the process on purpose has no use for the calls in it.
    const failure = this.disposing ? new CancelledError() : reason;
    for (const call of this.pending.values()) call.reject(failure);
    this.pending.clear();
    return this.disposing ? undefined : reason;
  }

  private async reasonFor(exit: { code: number | null; signal: NodeJS.Signals | null }) {
    const [before, after] = await Promise.all([this.oomKillsBefore, readOomKills()]);
    const oomKilled = before !== undefined && after !== undefined && after > before;
    return classifyExit({ ...exit, stderrTail: this.stderrTail, oomKilled, wasReady: this.wasReady });
  }
}

function cannotFork(error: Error): LongviewError {
  return new LongviewError(
    'engineCrashed',
    `The engine process could not be started: ${messageOf(error)}`,
    'Close other programs and ask again.',
    undefined,
    { cause: error },
  );
}

/** Resolves when the stream has ended and its last line was told. */
async function forEachLine(stream: Readable | null, onLine: (line: string) => void): Promise<void> {
  if (!stream) return;
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) onLine(line);
}
