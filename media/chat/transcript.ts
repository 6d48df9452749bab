import type { ChatConversation, ChatExchange } from '../../protocol';
import { element } from './dom';
import { ExchangeView } from './exchange-view';
import type { Host } from './host';

/** Closer than this to its end, the transcript follows what is added. */
const FOLLOW_PIXELS = 32;

/** The exchanges of the conversation, oldest first. Follows its end unless the user has scrolled away. */
export class Transcript {
  // Announcements are made once an answer is complete; live regions would read every token.
  readonly root = element('div', {
    class: 'transcript',
    role: 'log',
    'aria-live': 'off',
    'aria-label': 'Conversation',
    tabindex: '0',
  });
  private views: ExchangeView[] = [];
  private follows = true;
  private lastTop = 0;

  constructor(private readonly host: Host) {
    this.root.addEventListener('scroll', () => this.noteScroll());
    const grown = new ResizeObserver(() => this.keepUp());
    const content = new MutationObserver((changes) => {
      for (const change of changes) for (const node of change.addedNodes) grown.observe(node as Element);
    });
    content.observe(this.root, { childList: true });
  }

  get exchanges(): ChatExchange[] {
    return this.views.map((view) => view.current);
  }

  show({ exchanges }: ChatConversation): void {
    const old = new Map(this.views.map((view) => [view.id, view]));
    const added = exchanges.some(({ id }) => !old.has(id));
    this.views = exchanges.map((exchange) => {
      const view = old.get(exchange.id);
      if (!view) return new ExchangeView(exchange, this.host);
      old.delete(exchange.id);
      // Drawing anew would close what the user has opened.
      if (JSON.stringify(view.current) !== JSON.stringify(exchange)) view.update(exchange);
      return view;
    });
    for (const view of old.values()) {
      view.root.remove();
      view.dispose();
    }
    for (const view of this.views) if (!view.root.isConnected) this.root.append(view.root);
    if (added) this.follows = true;
    this.keepUp();
  }

  find(id: string): ExchangeView | undefined {
    return this.views.find((view) => view.id === id);
  }

  /** Only going up ends the following: the end also moves away when content grows before this is called. */
  private noteScroll(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.root;
    if (scrollHeight - scrollTop - clientHeight < FOLLOW_PIXELS) this.follows = true;
    else if (scrollTop < this.lastTop) this.follows = false;
    this.lastTop = scrollTop;
  }

  private keepUp(): void {
    if (this.follows) this.root.scrollTop = this.root.scrollHeight;
  }
}
