/** Where progress is written; `process.stderr` is one. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Progress in a log is told when it has moved on by this much. */
const LOG_STEP = 0.25;

/**
 * One line of progress. On a terminal it is rewritten in place; elsewhere a line is printed for each new phase
 * and each quarter of it, so that a log stays short.
 */
export class ProgressLine {
  /** In a log: how far each phase was when it was last told. Phases may run side by side. */
  private readonly told = new Map<string, number>();
  private shown = false;

  constructor(private readonly stream: ProgressStream) {}

  /** @param fraction of the phase, from 0 to 1; absent when nobody knows. */
  update(phase: string, detail = '', fraction?: number): void {
    const text = detail ? `${phase} ${detail}` : phase;
    if (this.stream.isTTY) {
      const columns = this.stream.columns ?? 80;
      this.stream.write(`\r\u001b[K${text.slice(0, Math.max(1, columns - 1))}`);
      this.shown = true;
      return;
    }
    const before = this.told.get(phase);
    if (before !== undefined && (fraction ?? 0) - before < LOG_STEP) return;
    this.told.set(phase, fraction ?? 0);
    this.stream.write(`${text}\n`);
  }

  /** Prints a line that stays. */
  note(text: string): void {
    this.clear();
    this.stream.write(`${text}\n`);
  }

  /** Takes the progress line away. */
  clear(): void {
    if (this.shown) this.stream.write('\r\u001b[K');
    this.shown = false;
  }
}
