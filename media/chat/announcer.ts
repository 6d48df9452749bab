import type { ChatExchange } from '../../protocol';
import { element } from './dom';

/** Tells screen readers what became of a question: once, when it is over. */
export class Announcer {
  readonly root = element('div', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' });

  /** Announces the end of `exchange` when it was running before. */
  follow(before: ChatExchange | undefined, exchange: ChatExchange): void {
    if (before?.phase !== 'running' || exchange.phase === 'running') return;
    this.root.textContent = announcement(exchange);
  }
}

function announcement({ phase, answer, failure }: ChatExchange): string {
  switch (phase) {
    case 'done':
      return `Answer: ${answer}`;
    case 'stopped':
      return 'Stopped.';
    case 'failed':
      return `${failure?.message ?? 'The question failed.'} ${failure?.action ?? ''}`;
    case 'interrupted':
      return 'The answer was interrupted.';
    case 'running':
      return '';
  }
}
