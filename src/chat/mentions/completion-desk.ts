import type { ChatHostMessage, ChatViewMessage } from '../../../protocol';
import type { Mentions } from './mentions';

type Wanted = Extract<ChatViewMessage, { kind: 'complete' }>;

/** Answers the completion list of the page: one search at a time, the newest. */
export class CompletionDesk {
  private searching = new AbortController();

  constructor(
    private readonly mentions: Pick<Mentions, 'complete'>,
    private readonly post: (message: ChatHostMessage) => void,
  ) {}

  /** A failure is said in the list, where it is looked for. */
  async answer({ request, mention, query }: Wanted): Promise<void> {
    this.searching.abort();
    const searching = new AbortController();
    this.searching = searching;
    try {
      const found = await this.mentions.complete(mention, query, searching.signal);
      if (!searching.signal.aborted) this.post({ kind: 'completions', request, ...found });
    } catch (error) {
      if (searching.signal.aborted) return;
      const remark = error instanceof Error ? error.message : String(error);
      this.post({ kind: 'completions', request, items: [], remark });
    }
  }
}
