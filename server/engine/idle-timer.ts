/** Calls back once nobody has been busy for some time. */
export class IdleTimer {
  private timer: NodeJS.Timeout | undefined;
  private busy = 0;

  /** @param idleMs how long; 0: never */
  constructor(
    private readonly idleMs: number,
    private readonly onIdle: () => void,
  ) {}

  begin(): void {
    this.busy++;
    this.dispose();
  }

  end(): void {
    this.busy--;
    this.start();
  }

  /** Counts from now on where it does not count already. */
  start(): void {
    if (this.busy > 0 || this.idleMs === 0 || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.onIdle();
    }, this.idleMs);
    // Does not keep a process alive that has nothing else to do.
    this.timer.unref();
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
