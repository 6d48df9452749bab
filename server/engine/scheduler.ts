/**
 * Lets one generation at a time use the device, first come, first served. A ticket is taken when the question
 * arrives, so that work done while waiting (reading, packing) costs nobody their place.
 */
export class Scheduler {
  private readonly queue: QueuedTicket[] = [];

  /** Questions waiting behind the one that holds the device. */
  get waiting(): number {
    return Math.max(0, this.queue.length - 1);
  }

  /** `onPosition` is told how many are ahead, at once when there are any and on every change after that. */
  enqueue(onPosition: (ahead: number) => void): Ticket {
    const ticket = new QueuedTicket(onPosition, (leaving) => this.remove(leaving));
    this.queue.push(ticket);
    this.announce(this.queue.length - 1);
    return ticket;
  }

  private remove(ticket: QueuedTicket): void {
    const index = this.queue.indexOf(ticket);
    if (index < 0) return;
    this.queue.splice(index, 1);
    this.announce(index);
  }

  private announce(from: number): void {
    for (let ahead = from; ahead < this.queue.length; ahead++) this.queue[ahead]?.moveTo(ahead);
  }
}

/** One question's place in the queue. */
export interface Ticket {
  /** Resolves when the device is this ticket's; never when the ticket is given back before that. */
  readonly granted: Promise<void>;
  readonly isGranted: boolean;
  /** Leaves the queue, or hands the device to the next. Further calls do nothing. */
  release(): void;
}

class QueuedTicket implements Ticket {
  readonly granted: Promise<void>;
  isGranted = false;
  private grant: () => void = () => undefined;

  constructor(
    private readonly onPosition: (ahead: number) => void,
    private readonly leave: (ticket: QueuedTicket) => void,
  ) {
    this.granted = new Promise((resolve) => {
      this.grant = resolve;
    });
  }

  moveTo(ahead: number): void {
    if (this.isGranted) return;
    if (ahead > 0) {
      this.onPosition(ahead);
      return;
    }
    this.isGranted = true;
    this.grant();
  }

  release(): void {
    this.leave(this);
  }
}
