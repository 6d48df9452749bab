import type { AskEvent } from '../../protocol';

/** An event before it has its number. */
export type UnnumberedAskEvent = AskEvent extends infer Event
  ? Event extends AskEvent
    ? Omit<Event, 'seq'>
    : never
  : never;

/** How long text gathers before it is sent: two frames, too short to see, long enough to save messages. */
export const TOKEN_BATCH_MS = 30;

/**
 * Numbers the events of one answer and sends them in order. The first text goes out at once, for it is the one
 * that was waited for; what follows is gathered. Every other event takes the gathered text along before it.
 */
export class AskStream {
  private seq = 0;
  private gathered = '';
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  constructor(private readonly send: (events: AskEvent[]) => void) {}

  emit(event: UnnumberedAskEvent): void {
    if (this.ended) return;
    if (event.kind === 'token') {
      this.gathered += event.text;
      if (!this.timer) this.sendGathered();
      return;
    }
    this.send([...this.takeGathered(), this.number(event)]);
  }

  /** Sends what is gathered. A load or a packing that is still running may emit on; nobody listens any more. */
  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    const rest = this.takeGathered();
    if (rest.length > 0) this.send(rest);
  }

  private sendGathered(): void {
    this.timer = undefined;
    if (this.gathered === '') return;
    this.send(this.takeGathered());
    this.timer = setTimeout(() => this.sendGathered(), TOKEN_BATCH_MS);
  }

  private takeGathered(): AskEvent[] {
    if (this.gathered === '') return [];
    const text = this.gathered;
    this.gathered = '';
    return [this.number({ kind: 'token', text })];
  }

  private number(event: UnnumberedAskEvent): AskEvent {
    return { seq: this.seq++, ...event };
  }
}
