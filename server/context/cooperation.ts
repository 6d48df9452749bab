import { setImmediate } from 'node:timers/promises';
import { throwIfCancelled } from '../errors';

/** A thread that works longer than this without a break cannot hear that it should stop. */
const SLICE_MS = 10;

/** Lets messages in between pieces of long work, and stops it when it is cancelled. */
export class Breather {
  private sliceStartedAt: number;

  /** `nowMs` is a clock that only goes forward. */
  constructor(
    private readonly signal: AbortSignal,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.sliceStartedAt = nowMs();
  }

  /** @throws CancelledError */
  async breathe(): Promise<void> {
    throwIfCancelled(this.signal);
    if (this.nowMs() - this.sliceStartedAt < SLICE_MS) return;
    await setImmediate();
    this.sliceStartedAt = this.nowMs();
    throwIfCancelled(this.signal);
  }
}

/** Calls `work` for each item, at most `limit` at a time. The first failure ends it. */
export async function forEachBounded<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  const lane = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: limit }, lane));
}
