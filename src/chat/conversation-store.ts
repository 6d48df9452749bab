import * as z from 'zod/mini';
import type { ChatConversation } from '../../protocol';
import { afterReload, EMPTY_CONVERSATION } from './conversation';
import { exchangeSchema } from './exchange-schema';

/** The part of `vscode.Memento` that is used. */
export interface KeyValueStore {
  get(key: string): unknown;
  update(key: string, value: unknown): PromiseLike<void>;
}

const KEY = 'longview.conversation';
const VERSION = 1;
/** Older exchanges are forgotten, so that the editor's workspace state stays small. */
export const STORED_EXCHANGES = 50;
const SAVE_DELAY_MS = 400;

const storedSchema = z.object({ version: z.literal(VERSION), exchanges: z.array(exchangeSchema) });

/** Keeps the conversation of this workspace across reloads. Saves at most every `SAVE_DELAY_MS`. */
export class ConversationStore {
  private pending: ChatConversation | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: KeyValueStore,
    private readonly warn: (message: string) => void,
  ) {}

  /** The stored conversation, with a running exchange marked as interrupted; empty when there is none. */
  load(): ChatConversation {
    const stored = this.store.get(KEY);
    if (stored === undefined) return EMPTY_CONVERSATION;
    const parsed = storedSchema.safeParse(stored);
    if (parsed.success) return afterReload({ exchanges: parsed.data.exchanges });
    this.warn(`The stored conversation could not be read and is left out: ${z.prettifyError(parsed.error)}`);
    return EMPTY_CONVERSATION;
  }

  /** Saves `conversation` soon. */
  save(conversation: ChatConversation): void {
    this.pending = conversation;
    this.timer ??= setTimeout(() => this.flush(), SAVE_DELAY_MS);
  }

  /** Saves what is pending at once. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.pending === undefined) return;
    const exchanges = this.pending.exchanges.slice(-STORED_EXCHANGES);
    this.pending = undefined;
    this.store.update(KEY, { version: VERSION, exchanges }).then(undefined, (error: unknown) => {
      this.warn(`The conversation could not be saved: ${String(error)}`);
    });
  }

  dispose(): void {
    this.flush();
  }
}
