/**
 * Lets one generation at a time use the device, first come, first served. A ticket is taken when the question
 * arrives, so that work done while waiting (reading, packing) costs nobody their place. Background work runs when no
 * question is there, and is asked to end as soon as one comes.
 */
export class Scheduler {
  private readonly queue: QueuedTicket[] = [];
  private readonly background: BackgroundWork[] = [];

  /** Questions waiting behind the one that holds the device. */
  get waiting(): number {
    return Math.max(0, this.queue.length - 1);
  }

  /** `onPosition` is told how many are ahead, at once when there are any and on every change after that. */
  enqueue(onPosition: (ahead: number) => void): Ticket {
    const ticket = new QueuedTicket(onPosition, (leaving) => this.remove(leaving));
    this.queue.push(ticket);
    this.background[0]?.preempt();
    this.announce(this.queue.length - 1);
    return ticket;
  }

  /** For work that nobody waits for; one after the other, and never beside a question. */
  enqueueBackground(): BackgroundTicket {
    const work = new BackgroundWork((leaving) => {
      const index = this.background.indexOf(leaving);
      if (index < 0) return;
      this.background.splice(index, 1);
      this.next();
    });
    this.background.push(work);
    this.next();
    return work;
  }

  private remove(ticket: QueuedTicket): void {
    const index = this.queue.indexOf(ticket);
    if (index < 0) return;
    this.queue.splice(index, 1);
    this.announce(index);
    this.next();
  }

  private announce(from: number): void {
    for (let ahead = from; ahead < this.queue.length; ahead++) {
      if (ahead > 0) this.queue[ahead]?.moveTo(ahead);
    }
    this.next();
  }

  /** Hands a free device on: to the first question, else to background work. */
  private next(): void {
    const [work] = this.background;
    if (work?.isGranted) return;
    const [first] = this.queue;
    if (first) first.moveTo(0);
    else work?.begin();
  }
}

/** A place on the device. */
export interface Ticket {
  /** Resolves when the device is this ticket's; never when the ticket is given back before that. */
  readonly granted: Promise<void>;
  readonly isGranted: boolean;
  /** Leaves the queue, or hands the device to the next. Further calls do nothing. */
  release(): void;
}

export interface BackgroundTicket extends Ticket {
  /** Aborted when a question came: the device is to be released. */
  readonly preempted: AbortSignal;
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

class BackgroundWork implements BackgroundTicket {
  readonly granted: Promise<void>;
  isGranted = false;
  private readonly preemption = new AbortController();
  private grant: () => void = () => undefined;

  constructor(private readonly leave: (work: BackgroundWork) => void) {
    this.granted = new Promise((resolve) => {
      this.grant = resolve;
    });
  }

  get preempted(): AbortSignal {
    return this.preemption.signal;
  }

  begin(): void {
    this.isGranted = true;
    this.grant();
  }

  preempt(): void {
    if (this.isGranted) this.preemption.abort();
  }

  release(): void {
    this.leave(this);
  }
}
