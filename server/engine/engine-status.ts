import type { EngineState, EngineStatus, WarmStatus } from '../../protocol';
import type { LoadedModel } from '../backends/backend';

/** What the engine is doing, told to one listener whenever it changes. */
export class EngineStatusBoard {
  private state: EngineState = 'idle';
  private message: string | undefined;
  private waiting = 0;
  private held: Pick<EngineStatus, 'model' | 'backend' | 'device'> = {};
  private warm: WarmStatus | undefined;
  private told = '';

  constructor(private readonly onChange: (status: EngineStatus) => void) {}

  get current(): EngineStatus {
    const { state, waiting, held, message, warm } = this;
    return {
      state,
      ...held,
      queued: waiting,
      ...(message !== undefined && { message }),
      ...(warm && { warm }),
    };
  }

  queued(waiting: number): void {
    this.waiting = waiting;
    this.tell();
  }

  /** A state without a message clears the last one. */
  moveTo(state: EngineState, message?: string): void {
    this.state = state;
    this.message = message;
    this.tell();
  }

  /** How far the repository is computed ahead of the next question; undefined when it is not. */
  warmed(status: WarmStatus | undefined): void {
    this.warm = status;
    this.tell();
  }

  /** What is on the device; undefined when nothing is. */
  holds(name: string, { backend, device }: LoadedModel): void {
    this.held = { model: name, backend, device };
    this.tell();
  }

  holdsNothing(): void {
    this.held = {};
    this.tell();
  }

  private tell(): void {
    const status = this.current;
    const key = JSON.stringify(status);
    if (key === this.told) return;
    this.told = key;
    this.onChange(status);
  }
}
