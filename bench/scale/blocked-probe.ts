import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

const TICK_MS = 2;
const NS_PER_MS = 1e6;

/** The longest that a thread was not free, in ms. */
export interface Blocked {
  /** On the clock. */
  wallMs: number;
  /** Without what the thread waited for a processor, which others on the machine had; as `wallMs` where that is unknown. */
  ownMs: number;
}

/** Watches the thread that it is made in, from one tick of a timer to the next. */
export class BlockedProbe {
  private readonly blocked: Blocked = { wallMs: 0, ownMs: 0 };
  private readonly timer: NodeJS.Timeout;
  private last = { atMs: performance.now(), waitedMs: waitedMs() };

  constructor() {
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  stop(): Blocked {
    clearInterval(this.timer);
    this.tick();
    return this.blocked;
  }

  private tick(): void {
    const now = { atMs: performance.now(), waitedMs: waitedMs() };
    const lateMs = now.atMs - this.last.atMs - TICK_MS;
    const ownMs = lateMs - (now.waitedMs - this.last.waitedMs);
    this.blocked.wallMs = Math.max(this.blocked.wallMs, lateMs);
    this.blocked.ownMs = Math.max(this.blocked.ownMs, ownMs);
    this.last = now;
  }
}

/** How long the main thread has been ready to run and had no processor so far; 0 where the system does not tell. */
function waitedMs(): number {
  try {
    const [, waitedNs] = readFileSync('/proc/self/schedstat', 'latin1').split(' ');
    return Number(waitedNs ?? 0) / NS_PER_MS;
  } catch {
    return 0;
  }
}
