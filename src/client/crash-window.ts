const MAX_CRASHES = 4;
const WINDOW_MS = 3 * 60_000;

/** Decides whether a server that crashed is worth another start: not after too many crashes close together. */
export class CrashWindow {
  private crashes: number[] = [];

  /** @param now milliseconds of a steady clock. */
  constructor(private readonly now: () => number) {}

  /** Crashes within the window. */
  get count(): number {
    return this.crashes.length;
  }

  /** Notes a crash. Returns true when the server is to be started again. */
  record(): boolean {
    const now = this.now();
    this.crashes = [...this.crashes.filter((at) => at > now - WINDOW_MS), now];
    return this.crashes.length <= MAX_CRASHES;
  }

  clear(): void {
    this.crashes = [];
  }
}
