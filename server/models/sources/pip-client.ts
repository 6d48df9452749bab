import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelledError, messageOf, throwIfCancelled } from '../../errors';
import { hasCode } from '../json-file';
import { SourceFailure } from './model-source';
import type { Environment } from './proxy';

const WATCH_INTERVAL_MS = 250;
const KILL_AFTER_MS = 2000;
const MAX_KEPT_OUTPUT = 64 * 1024;

export interface PipTimeouts {
  /** From the start of Python to pip's first word. */
  readonly startMs: number;
  /** From pip's first word to the package index's answer. */
  readonly answerMs: number;
  /** Longest time without a new byte of a wheel. */
  readonly stallMs: number;
}

export interface PipDownload {
  readonly package: string;
  readonly version: string;
  /** Empty folder that receives the wheel, and pip's temporary files meanwhile. */
  readonly folder: string;
  /** Bytes of the wheel that are here by now. */
  readonly onProgress: (wheelBytes: number) => void;
  readonly signal: AbortSignal;
}

/** Downloads wheels with the user's own pip, which knows the user's package index. */
export interface PipClient {
  /**
   * Fetches one wheel and returns its path. Nothing of it is installed or run.
   *
   * @throws SourceFailure when Python, pip or the package cannot be had, CancelledError, and an error
   * with the code `ENOSPC` when the disk is full
   */
  download(request: PipDownload): Promise<string>;
}

/** Runs `python3 -m pip download`. */
export class SpawnedPipClient implements PipClient {
  /** @param pythons commands to try in order; the first one that exists serves */
  constructor(
    private readonly env: Environment,
    private readonly timeouts: PipTimeouts,
    private readonly pythons: readonly string[],
  ) {}

  async download(request: PipDownload): Promise<string> {
    for (const python of this.pythons) {
      throwIfCancelled(request.signal);
      try {
        await this.run(python, request);
        return await wheelIn(request.folder);
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
      }
    }
    throw new SourceFailure(`Python was not found (tried ${this.pythons.join(', ')})`);
  }

  private async run(python: string, request: PipDownload): Promise<void> {
    const child = spawn(python, pipArguments(request), {
      // `-m` imports from the working directory first, which must not be the user's folder.
      cwd: request.folder,
      // Wheels pass through the temporary folder, which is often small, and there their growth is seen.
      env: { ...this.env, TMPDIR: request.folder, TEMP: request.folder, TMP: request.folder },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own: `python3` is often a wrapper, and all that it starts must end with it.
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    const output = new PipOutput(child);
    const watch = new PipWatch(child, output, request, this.timeouts);
    try {
      const status = await watch.exit();
      if (status !== 0) throw output.failure();
    } finally {
      watch.dispose();
    }
  }
}

function pipArguments(request: PipDownload): string[] {
  return [
    ...['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:'],
    // The model is kept once, by Longview; a dead index must not be asked again and again.
    ...[
      '--no-cache-dir',
      '--retries',
      '0',
      '--disable-pip-version-check',
      '--no-input',
      '--progress-bar',
      'off',
    ],
    ...['--dest', request.folder, `${request.package}==${request.version}`],
  ];
}

async function wheelIn(folder: string): Promise<string> {
  const wheels = (await readdir(folder)).filter((name) => name.endsWith('.whl'));
  const [wheel] = wheels;
  if (wheel === undefined || wheels.length > 1) throw new SourceFailure(`pip left ${wheels.length} wheels`);
  return join(folder, wheel);
}

/** What pip says, of which the end is kept. */
class PipOutput {
  private text = '';

  constructor(child: ChildProcess) {
    const keep = (chunk: string) => (this.text = (this.text + chunk).slice(-MAX_KEPT_OUTPUT));
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
  }

  get hasBegun(): boolean {
    return this.text !== '';
  }

  /** True from the moment when the index has named the wheel. */
  get hasAnswer(): boolean {
    return /^\s*(Downloading|Using cached|Processing|Saved|Obtaining)\b/m.test(this.text);
  }

  failure(): Error {
    if (/\[Errno 28\]|No space left/.test(this.text)) {
      return Object.assign(new Error('pip found no space left on the disk'), { code: 'ENOSPC' });
    }
    if (/No module named '?pip/.test(this.text)) return new SourceFailure('this Python has no pip');
    const lines = this.text.split('\n').map((line) => line.trim());
    const error =
      lines.findLast((line) => line.startsWith('ERROR:')) ?? lines.findLast((line) => line !== '');
    const reason = error?.replace(/^ERROR:\s*/, '').replace(/\.$/, '') ?? 'it said nothing';
    return new SourceFailure(`pip failed: ${reason}`);
  }
}

type Phase = 'start' | 'answer' | 'stall';

/** Reports how far one run of pip is, and ends it when it is cancelled or gets nowhere. */
class PipWatch {
  private readonly timer: NodeJS.Timeout;
  private killTimer: NodeJS.Timeout | undefined;
  private phase: Phase = 'start';
  private phaseBeganMs = performance.now();
  private wheelBytes = 0;
  private verdict: Error | undefined;

  constructor(
    private readonly child: ChildProcess,
    private readonly output: PipOutput,
    private readonly request: PipDownload,
    private readonly timeouts: PipTimeouts,
  ) {
    this.timer = setInterval(() => {
      this.look().catch((error: unknown) => {
        this.end(error instanceof Error ? error : new SourceFailure(messageOf(error)));
      });
    }, WATCH_INTERVAL_MS);
    request.signal.addEventListener('abort', this.cancel, { once: true });
    process.once('exit', this.killWithParent);
  }

  /** Exit status of pip. @throws the reason for which pip was ended; the error of a failed start */
  exit(): Promise<number | null> {
    return new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (status) => {
        if (this.verdict) reject(this.verdict);
        else resolve(status);
      });
    });
  }

  dispose(): void {
    clearInterval(this.timer);
    clearTimeout(this.killTimer);
    this.request.signal.removeEventListener('abort', this.cancel);
    process.removeListener('exit', this.killWithParent);
  }

  /** A group of its own would outlive this process. */
  private readonly killWithParent = () => killGroup(this.child, 'SIGKILL');

  private readonly cancel = () => this.end(new CancelledError());

  private async look(): Promise<void> {
    const bytes = await largestFileBytes(this.request.folder);
    if (bytes > this.wheelBytes) {
      this.wheelBytes = bytes;
      this.request.onProgress(bytes);
      this.enter('stall');
    } else if (this.phase === 'answer' && this.output.hasAnswer) {
      this.enter('stall');
    } else if (this.phase === 'start' && this.output.hasBegun) {
      this.enter('answer');
    }
    if (performance.now() - this.phaseBeganMs < this.limitMs()) return;
    this.end(new SourceFailure(this.reasonOfDelay()));
  }

  private enter(phase: Phase): void {
    this.phase = phase;
    this.phaseBeganMs = performance.now();
  }

  private limitMs(): number {
    return { start: this.timeouts.startMs, answer: this.timeouts.answerMs, stall: this.timeouts.stallMs }[
      this.phase
    ];
  }

  private reasonOfDelay(): string {
    const seconds = `${this.limitMs() / 1000} s`;
    const name = this.request.package;
    return {
      start: `pip did not start within ${seconds}`,
      answer: `the package index did not answer for ${name} within ${seconds}`,
      stall: `the package index sent nothing of ${name} for ${seconds}`,
    }[this.phase];
  }

  private end(verdict: Error): void {
    if (this.verdict) return;
    this.verdict = verdict;
    killGroup(this.child, 'SIGTERM');
    this.killTimer = setTimeout(() => {
      killGroup(this.child, 'SIGKILL');
      // `close` waits for everyone who holds the other end of these.
      this.child.stdout?.destroy();
      this.child.stderr?.destroy();
    }, KILL_AFTER_MS);
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (process.platform === 'win32' || child.pid === undefined) {
    child.kill(signal);
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

/** Size of the largest file below a folder: the wheel, wherever pip is just moving it. */
async function largestFileBytes(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(ignoreVanished([]));
  const sizes = names.map((name) =>
    stat(join(folder, name)).then((stats) => (stats.isFile() ? stats.size : 0), ignoreVanished(0)),
  );
  return Math.max(0, ...(await Promise.all(sizes)));
}

/** Pip removes its temporary files while they are being listed. */
function ignoreVanished<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (hasCode(error, 'ENOENT')) return instead;
    throw error;
  };
}
