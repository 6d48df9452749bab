import { randomUUID } from 'node:crypto';
import type {
  AskEvent,
  Attachment,
  ChatConversation,
  ChatExchange,
  ChatFailure,
  ChatHostMessage,
  DownloadEvent,
  Turn,
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
    return { kind: 'conversation', conversation: this.conversation, attachments: this.attachments };
  }

  /** Asks with what is attached. Does nothing while an exchange runs or when nothing is asked. */
  async ask(question: string): Promise<void> {
    const text = question.trim();
    if (this.run || text === '') return;
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
    this.attachments = [];
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
    this.attachments = attachments;
    this.messages.fire({ kind: 'attachments', attachments });
  }

  private apply(event: ConversationEvent): void {
    this.conversation = advance(this.conversation, event);
    this.store.save(this.conversation);
    // Only streamed text may wait: what a person sees as done must outlive a reload at that moment.
    if (event.kind !== 'streamed' && event.kind !== 'progressed') this.store.flush();
    this.changed.fire(this.conversation);
  }
}

function isSame(a: Attachment, b: Attachment): boolean {
  if (a.path !== b.path || a.kind !== b.kind) return false;
  return a.kind !== 'selection' || b.kind !== 'selection' || a.startLine === b.startLine;
}
