/** Crashes that are borne within the window before the engine is left down. */
const MAX_CRASHES = 4;
const WINDOW_MS = 3 * 60_000;
/** Wait before the first, second, … restart within the window. The first is at once: most crashes are single. */
const DELAYS_MS: readonly number[] = [0, 1000, 4000];

/** When to start a crashed engine again, and when to stop trying. */
export class RestartPolicy {
  private crashes: number[] = [];

  /** @param now milliseconds of a steady clock. */
  constructor(
    private readonly now: () => number,
    private readonly delaysMs = DELAYS_MS,
  ) {}

  recordCrash(): void {
    this.crashes.push(this.now());
  }

  /** Wait before the next start in ms, or `giveUp` while too many crashes lie too close together. */
  nextDelayMs(): number | 'giveUp' {
    const since = this.now() - WINDOW_MS;
    this.crashes = this.crashes.filter((at) => at > since);
    const count = this.crashes.length;
    if (count >= MAX_CRASHES) return 'giveUp';
    return count === 0 ? 0 : (this.delaysMs[count - 1] ?? 0);
  }
}
