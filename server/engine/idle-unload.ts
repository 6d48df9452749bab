import type { EngineDevice } from './engine-device';
import { IdleTimer } from './idle-timer';
import type { Scheduler } from './scheduler';

/** Lets go of the device, with the model on it, once nobody has asked for some time. Warming is not asking. */
export class IdleUnload {
  private readonly timer: IdleTimer;
  private resting = false;

  /** @param idleMs how long; 0: never */
  constructor(
    private readonly scheduler: Scheduler,
    private readonly device: EngineDevice,
    idleMs: number,
  ) {
    this.timer = new IdleTimer(idleMs, () => void this.unload());
  }

  /** True once the device was let go, until somebody asks. */
  get isResting(): boolean {
    return this.resting;
  }

  /** A question came; `end` follows. */
  begin(): void {
    this.timer.begin();
    this.resting = false;
  }

  end(): void {
    this.timer.end();
  }

  /** Something was warmed: it neither stops the clock nor sets it back. */
  noteWarming(): void {
    this.timer.start();
  }

  dispose(): void {
    this.timer.dispose();
  }

  /** In its turn like a question, so that none runs meanwhile; one that comes then starts the device anew. */
  private async unload(): Promise<void> {
    const ticket = this.scheduler.enqueue(() => undefined);
    await ticket.granted;
    try {
      this.resting = true;
      await this.device.release();
    } finally {
      ticket.release();
    }
  }
}
