import { randomUUID } from 'node:crypto';
import {
  type AskEvent,
  type Attachment,
  type AttachmentAccount,
  attachmentRefusal,
  type ChatAttachments,
  type ChatConversation,
  type ChatExchange,
  type ChatFailure,
  type ChatHostMessage,
  type DownloadEvent,
  type Turn,
} from '../../protocol';
import type { AnswerService } from '../session/answer-service';
import { Signal } from '../session/signal';
import {
  advance,
  type ConversationEvent,
  comparable,
  exchangeOf,
  historyBefore,
  historyNow,
} from './conversation';
import type { ConversationStore } from './conversation-store';
import { failureOf } from './failure';
import { downloadOffer, modelInQuestion } from './model-offer';

interface Run {
  exchangeId: string;
  abort: AbortController;
}

/**
 * The conversation of one window: asks, stops, retries, fetches a missing model, and says what changed. Owns the
 * conversation; knows nothing of the editor. One exchange runs at a time.
 */
export class ChatSession {
  /** What the page must be told. */
  readonly messages = new Signal<ChatHostMessage>();
  /** Fires after every change. */
  readonly changed = new Signal<ChatConversation>();
  private conversation: ChatConversation;
  private attachments: Attachment[] = [];
  /** Of `attachments`; undefined until they are counted. */
  private account: AttachmentAccount | undefined;
  private counting = new AbortController();
  /** A question whose attachments are being counted is not asked a second time. */
  private isChecking = false;
  private run: Run | undefined;

  constructor(
    private readonly service: AnswerService,
    private readonly store: ConversationStore,
    private readonly warn: (message: string) => void,
  ) {
    this.conversation = store.load();
  }

  get current(): ChatConversation {
    return this.conversation;
  }

  /** What the next question would be asked with. */
  get upcoming(): { history: Turn[]; attachments: Attachment[] } {
    return { history: historyNow(this.conversation), attachments: this.attachments };
  }

  get isRunning(): boolean {
    return this.run !== undefined;
  }

  /** Everything that the page shows, for one that starts or lost step. */
  snapshot(): ChatHostMessage {
    return { kind: 'conversation', conversation: this.conversation, ...this.attached() };
  }

  /**
   * Asks with what is attached; what does not fit is refused before it is sent. Does nothing while an exchange runs or
   * when nothing is asked.
   */
  async ask(question: string): Promise<void> {
    const text = question.trim();
    if (this.run || this.isChecking || text === '') return;
    const { attachments } = this;
    const found = attachments.length > 0 ? await this.refusal(text) : undefined;
    const isOvertaken = this.isRunning || this.attachments !== attachments;
    const reason = isOvertaken
      ? 'Something changed while the attachments were counted: send it again.'
      : found;
    if (reason !== undefined) {
      this.messages.fire({ kind: 'refused', question, reason });
      return;
    }
    const id = randomUUID();
    this.apply({ kind: 'asked', id, question: text, attachments: this.attachments });
    this.setAttachments([]);
    this.messages.fire(this.snapshot());
    await this.start(id, (run) => this.answer(run));
  }

  /** Reads the prompt of exchange `id` again with dense attention, to show both answers beside each other. */
  async compare(id: string): Promise<void> {
    const baseline = comparable(this.conversation, id);
    const exchange = exchangeOf(this.conversation, id);
    if (this.run || !baseline || !exchange) return;
    const { question, attachments } = exchange;
    const comparison = randomUUID();
    this.apply({ kind: 'asked', id: comparison, question, attachments, baseline });
    this.messages.fire(this.snapshot());
    await this.start(comparison, (run) => this.answer(run));
  }

  /** Asks the last question again. */
  async retry(id: string): Promise<void> {
    await this.restart(id, (run) => this.answer(run));
  }

  /** Fetches the model that exchange `id` lacks, then answers it. */
  async downloadAndAnswer(id: string, allowThirdParty: boolean): Promise<void> {
    const modelId = exchangeOf(this.conversation, id)?.failure?.modelId;
    await this.restart(id, async (run) => {
      await this.download(run, modelId, allowThirdParty);
      await this.answer(run);
    });
  }

  /** Ends the running answer or download at once; what has arrived stays. */
  stop(): void {
    if (!this.run) return;
    const { exchangeId, abort } = this.run;
    this.run = undefined;
    this.apply({ kind: 'stopped', id: exchangeId });
    this.publish(exchangeId);
    abort.abort();
  }

  clear(): void {
    this.stop();
    this.setAttachments([]);
    this.apply({ kind: 'cleared' });
    this.messages.fire(this.snapshot());
  }

  attach(attachment: Attachment): void {
    this.setAttachments([...this.attachments.filter((each) => !isSame(each, attachment)), attachment]);
  }

  detach(index: number): void {
    this.setAttachments(this.attachments.filter((_, i) => i !== index));
  }

  dispose(): void {
    this.stop();
    this.store.dispose();
  }

  private async restart(id: string, work: (run: Run) => Promise<void>): Promise<void> {
    if (this.run || this.conversation.exchanges.at(-1)?.id !== id) return;
    this.apply({ kind: 'restarted', id });
    this.publish(id);
    await this.start(id, work);
  }

  private async start(exchangeId: string, work: (run: Run) => Promise<void>): Promise<void> {
    const run: Run = { exchangeId, abort: new AbortController() };
    this.run = run;
    try {
      await work(run);
    } catch (error) {
      if (!run.abort.signal.aborted) await this.fail(exchangeId, error);
    } finally {
      if (this.run === run) this.run = undefined;
      this.publish(exchangeId);
    }
  }

  private async answer({ exchangeId: id, abort }: Run): Promise<void> {
    const exchange = exchangeOf(this.conversation, id);
    if (!exchange) return;
    this.progress(id, { kind: 'starting' });
    const { question, attachments, baseline } = exchange;
    const history = historyBefore(this.conversation, id);
    const result = await this.service.ask(
      { question, history, attachments, ...(baseline && { attention: 'dense' }) },
      (event) => this.onEvent(id, event),
      abort.signal,
    );
    this.apply({ kind: 'answered', id, result });
  }

  private async download(
    { exchangeId: id, abort }: Run,
    modelId: string | undefined,
    allowThirdParty: boolean,
  ) {
    this.progress(id, { kind: 'starting' });
    const model = modelInQuestion(await this.service.listModels(), modelId);
    if (!model) throw new Error('No model is in the catalogue.');
    await this.service.downloadModel(
      model.id,
      allowThirdParty,
      (event) => this.onDownload(id, event),
      abort.signal,
    );
  }

  private async fail(id: string, error: unknown): Promise<void> {
    this.apply({ kind: 'failed', id, failure: await this.offerOf(failureOf(error)) });
  }

  /** A missing model of the catalogue, in words that say what would be fetched and from where. */
  private async offerOf(failure: ChatFailure): Promise<ChatFailure> {
    if (failure.code !== 'modelMissing' || failure.modelId === undefined) return failure;
    try {
      const model = (await this.service.listModels()).find(({ id }) => id === failure.modelId);
      return model ? downloadOffer(model) : failure;
    } catch (error) {
      this.warn(`The models could not be listed: ${String(error)}`);
      return failure;
    }
  }

  private onEvent(id: string, event: AskEvent): void {
    const before = exchangeOf(this.conversation, id);
    if (before?.phase !== 'running') return;
    this.apply({ kind: 'streamed', id, event });
    if (event.kind === 'token') {
      this.messages.fire({ kind: 'text', id, offset: before.answer.length, text: event.text });
    } else {
      this.publishProgress(id);
    }
  }

  private onDownload(id: string, event: DownloadEvent): void {
    if (event.kind === 'progress') {
      const { receivedBytes, totalBytes } = event;
      this.progress(id, { kind: 'download', receivedBytes, totalBytes });
    } else if (event.kind !== 'sourceFailed') {
      this.progress(id, event);
    }
  }

  private progress(id: string, activity: NonNullable<ChatExchange['activity']>): void {
    this.apply({ kind: 'progressed', id, activity });
    this.publishProgress(id);
  }

  private publishProgress(id: string): void {
    const activity = exchangeOf(this.conversation, id)?.activity;
    if (activity) this.messages.fire({ kind: 'activity', id, activity });
  }

  private publish(id: string): void {
    const exchange = exchangeOf(this.conversation, id);
    if (exchange) this.messages.fire({ kind: 'exchange', exchange });
  }

  private setAttachments(attachments: Attachment[]): void {
    this.counting.abort();
    this.counting = new AbortController();
    this.attachments = attachments;
    this.account = undefined;
    this.messages.fire({ kind: 'attachments', ...this.attached() });
    if (attachments.length > 0) void this.count(this.counting.signal);
  }

  private attached(): ChatAttachments {
    return { attachments: this.attachments, ...(this.account && { account: this.account }) };
  }

  /** Counts what is attached, for the person who attaches it. */
  private async count(signal: AbortSignal): Promise<void> {
    try {
      const account = await this.service.countAttachments('', this.attachments, signal);
      if (signal.aborted) return;
      this.account = account;
      this.messages.fire({ kind: 'attachments', ...this.attached() });
    } catch (error) {
      // Such as a model that is not here: the question itself says so, with what helps.
      if (!signal.aborted) this.warn(`Attachments could not be counted: ${String(error)}`);
    }
  }

  /** Why the question cannot be sent with what is attached; undefined when it can, or nobody knows. */
  private async refusal(question: string): Promise<string | undefined> {
    this.isChecking = true;
    try {
      const { signal } = new AbortController();
      const account = await this.service.countAttachments(question, this.attachments, signal);
      return attachmentRefusal(
        account,
        'Remove an attachment, attach less of it, or raise the context size in the settings.',
      );
    } catch (error) {
      this.warn(`Attachments could not be counted: ${String(error)}`);
      return undefined;
    } finally {
      this.isChecking = false;
    }
  }

  private apply(event: ConversationEvent): void {
    this.conversation = advance(this.conversation, event);
    this.store.save(this.conversation);
    // Only streamed text may wait: what a person sees as done must outlive a reload at that moment.
    if (event.kind !== 'streamed' && event.kind !== 'progressed') this.store.flush();
    this.changed.fire(this.conversation);
  }
}

/** Attached again, it takes the place of what was attached before. */
function isSame(a: Attachment, b: Attachment): boolean {
  return identityOf(a) === identityOf(b);
}

function identityOf(attachment: Attachment): string {
  switch (attachment.kind) {
    case 'file':
    case 'folder':
      return [attachment.kind, attachment.path].join('\0');
    case 'selection':
      return [attachment.kind, attachment.path, attachment.startLine].join('\0');
    case 'symbol':
      return [attachment.kind, attachment.path, attachment.name, attachment.startLine].join('\0');
    case 'excerpt':
      return [attachment.kind, attachment.source, attachment.label].join('\0');
  }
}
