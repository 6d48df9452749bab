import {
  AskedContext,
  type Attachment,
  type ContextAccount,
  type ContextFolderList,
  GetPromptText,
  ListContextFolder,
  type PromptPartText,
  type Turn,
} from '../../protocol';
import { failureOf } from '../chat/failure';
import type { ServerSession } from '../session/server-session';
import { type Disposable, Signal } from '../session/signal';

/** What is asked of the server. */
export type ContextServer = Pick<ServerSession, 'inspectContext' | 'request'> & {
  context: Pick<ServerSession['context'], 'on'>;
};

/** What is asked of the conversation. */
export interface UpcomingQuestion {
  readonly upcoming: { history: Turn[]; attachments: Attachment[] };
  readonly isRunning: boolean;
}

/** What there is to see: an account, or why there is none. */
export interface ContextState {
  account?: ContextAccount;
  /** Of the account: what lies in no folder. It is there with it, so that the view need not wait. */
  top?: ContextFolderList;
  problem?: string;
  isLooking: boolean;
}

/**
 * The account that the view shows, kept up to date while somebody can see it: of the next question, and of the one
 * that was asked last from the moment that it is packed until something changes.
 */
export class ContextModel implements Disposable {
  readonly changed = new Signal<void>();
  private state: ContextState = { isLooking: false };
  private wanted: ContextAccount['of'] = 'next';
  private isVisible = false;
  /** Something changed since the account was made. */
  private isStale = true;
  private running: AbortController | undefined;
  private readonly subscription: Disposable;

  constructor(
    private readonly server: ContextServer,
    private readonly conversation: UpcomingQuestion,
  ) {
    this.subscription = server.context.on(() => this.noteChange());
  }

  get current(): ContextState {
    return this.state;
  }

  setVisible(isVisible: boolean): void {
    this.isVisible = isVisible;
    if (isVisible) void this.refreshIfStale();
  }

  /** Files, choices, settings or the conversation changed: what is shown is not what would be sent next. */
  noteChange(): void {
    // While a question is answered, what was sent is what matters.
    if (!this.conversation.isRunning) this.wanted = 'next';
    this.isStale = true;
    void this.refreshIfStale();
  }

  /** A question has been packed. */
  noteAsked(): Promise<void> {
    return this.show('asked');
  }

  show(of: ContextAccount['of']): Promise<void> {
    this.wanted = of;
    this.isStale = true;
    return this.refreshIfStale();
  }

  /** What lies in a folder of the account that is shown; nothing when it has been replaced meanwhile. */
  async list(folder: string): Promise<ContextFolderList> {
    const { account } = this.state;
    const nothing: ContextFolderList = { entries: [], more: 0 };
    if (!account) return nothing;
    if (folder === '') return this.state.top ?? nothing;
    try {
      return await this.listOf(account, folder);
    } catch (error) {
      // The newer account tells the view to ask again.
      if (this.state.account?.id !== account.id || this.isStale) return nothing;
      throw error;
    }
  }

  /** True when the server knows no file in the folder: ignore rules leave it out, or it is empty. */
  async isUnknown(folder: string): Promise<boolean> {
    const account = this.state.account ?? (await this.look(new AbortController().signal));
    return (await this.listOf(account, folder)).entries.length === 0;
  }

  /** The prompt that is shown as text; when none is, that of the next question. */
  async promptText(): Promise<{ account: ContextAccount; parts: PromptPartText[] }> {
    const account = this.state.account ?? (await this.look(new AbortController().signal));
    const { parts } = await this.server.request(GetPromptText, { id: account.id });
    return { account, parts };
  }

  dispose(): void {
    this.subscription.dispose();
    this.running?.abort();
  }

  private async refreshIfStale(): Promise<void> {
    if (!this.isVisible || !this.isStale) return;
    this.isStale = false;
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.set({ ...this.state, isLooking: true });
    try {
      const account = await this.look(running.signal);
      const top = await this.listOf(account, '');
      if (this.running === running) this.set({ account, top, isLooking: false });
    } catch (error) {
      // Another look has begun.
      if (this.running !== running) return;
      const { message, action } = failureOf(error);
      this.set({ problem: `${message} ${action}`, isLooking: false });
    }
  }

  private async look(signal: AbortSignal): Promise<ContextAccount> {
    if (this.wanted === 'asked') {
      const { account } = await this.server.request(AskedContext, {});
      if (account) return account;
      this.wanted = 'next';
    }
    return this.server.inspectContext(this.conversation.upcoming, signal);
  }

  private listOf({ id }: ContextAccount, folder: string): Promise<ContextFolderList> {
    return this.server.request(ListContextFolder, { id, folder });
  }

  private set(state: ContextState): void {
    this.state = state;
    this.changed.fire();
  }
}
