import '@vscode-elements/elements/dist/vscode-button';
import type { ChatAction, ChatExchange, ChatFailure } from '../../protocol';
import { ActivityView } from './activity-view';
import { AnswerView } from './answer-view';
import { attachmentIcon, attachmentLabel, attachmentTitle } from './attachment-label';
import { baselineView, comparisonHeading, figuresView } from './comparison-view';
import { element, icon } from './dom';
import { footerView } from './footer-view';
import type { Host } from './host';
import { sourcesView } from './sources-view';

const ACTION_WORDS: Record<ChatAction, string> = {
  retry: 'Retry',
  downloadModel: 'Download',
  allowThirdParty: 'Allow and Download',
  useSmallerContext: 'Use a Smaller Context',
  useCpu: 'Use the CPU',
  openSettings: 'Open Settings',
  openFolder: 'Open Folder',
  restartEngine: 'Restart Engine',
  showLog: 'Show Log',
  allowSecrets: 'Include Anyway',
  compare: 'Compare with Dense',
};

/** Draws one question and its answer, and follows it while it runs. */
export class ExchangeView {
  readonly root: HTMLElement;
  private readonly answer: AnswerView;
  private readonly activity = new ActivityView();
  /** Below the answer: sources, state, failure, footer. Drawn anew whenever the exchange changes phase. */
  private readonly tail = element('div', { class: 'tail' });
  private exchange: ChatExchange;

  constructor(
    exchange: ChatExchange,
    private readonly host: Host,
  ) {
    this.exchange = exchange;
    this.answer = new AnswerView(host);
    this.root = element(
      'article',
      { class: 'exchange', 'aria-label': `Question: ${exchange.question}` },
      exchange.baseline ? comparisonHeading(exchange) : questionView(exchange),
      this.activity.root,
      exchange.baseline && baselineView(exchange.baseline),
      this.answer.root,
      this.tail,
    );
    this.update(exchange);
  }

  get id(): string {
    return this.exchange.id;
  }

  get current(): ChatExchange {
    return this.exchange;
  }

  /** Shows another state of the same exchange. */
  update(exchange: ChatExchange): void {
    this.exchange = exchange;
    if (exchange.phase === 'running') this.answer.grow(exchange.answer);
    else this.answer.finish(exchange.answer, exchange.citations, exchange.symbols);
    this.showActivity();
    this.tail.replaceChildren(...this.tailParts());
  }

  progress(activity: NonNullable<ChatExchange['activity']>): void {
    this.exchange = { ...this.exchange, activity };
    this.showActivity();
  }

  /** Adds a piece of the answer. False when it does not follow what is there. */
  grow(offset: number, text: string): boolean {
    if (offset !== this.exchange.answer.length) return false;
    this.exchange = { ...this.exchange, answer: this.exchange.answer + text };
    this.answer.grow(this.exchange.answer);
    this.showActivity();
    return true;
  }

  /** Opens the details and moves the keyboard there. */
  reveal(): void {
    const details = this.tail.querySelector<HTMLDetailsElement>('details.account');
    if (!details) return;
    details.open = true;
    details.querySelector('summary')?.focus();
    details.scrollIntoView({ block: 'nearest' });
  }

  dispose(): void {
    this.answer.dispose();
  }

  private showActivity(): void {
    const { phase, activity, answer } = this.exchange;
    const shown = phase === 'running' && answer === '' ? activity : undefined;
    this.activity.root.hidden = shown === undefined;
    if (shown) this.activity.show(shown);
    this.root.setAttribute('aria-busy', String(phase === 'running'));
  }

  private tailParts(): HTMLElement[] {
    const parts = [
      this.exchange.baseline && figuresView(this.exchange.baseline, this.exchange.record),
      sourcesView(this.exchange.citations, this.host),
      phaseNote(this.exchange),
      this.exchange.failure && this.failureView(this.exchange.failure),
      this.exchange.phase === 'interrupted' && this.buttons(['retry']),
      footerView(this.exchange, this.host),
    ];
    return parts.filter((part) => part !== undefined && part !== false);
  }

  private failureView(failure: ChatFailure): HTMLElement {
    const isOffer = failure.code === 'modelMissing' || failure.code === 'thirdPartyConsentRequired';
    return element(
      'div',
      { class: isOffer ? 'failure offer' : 'failure' },
      icon(isOffer ? 'cloud-download' : 'error'),
      element(
        'div',
        {},
        element('p', {}, failure.message),
        element('p', {}, failure.action),
        this.buttons(failure.buttons),
      ),
    );
  }

  private buttons(actions: ChatAction[]): HTMLElement {
    const buttons = actions.map((action, index) => {
      const button = element('vscode-button', { secondary: index > 0 }, ACTION_WORDS[action]);
      button.addEventListener('click', () => this.host.send({ kind: 'act', id: this.exchange.id, action }));
      return button;
    });
    return element('div', { class: 'buttons' }, ...buttons);
  }
}

function questionView({ question, attachments }: ChatExchange): HTMLElement {
  const chips = attachments.map((attachment) =>
    element(
      'span',
      { class: 'chip', title: attachmentTitle(attachment) },
      icon(attachmentIcon(attachment)),
      element('span', { class: 'chip-label' }, attachmentLabel(attachment)),
    ),
  );
  return element(
    'div',
    { class: 'question' },
    element('div', { class: 'question-text' }, question),
    chips.length > 0 && element('div', { class: 'chips' }, ...chips),
  );
}

function phaseNote({ phase, answer }: ChatExchange): HTMLElement | undefined {
  if (phase === 'stopped')
    return note('debug-stop', answer === '' ? 'Stopped.' : 'Stopped; the answer is not complete.');
  if (phase === 'interrupted') {
    return note('debug-disconnect', 'The window closed before the answer was complete.');
  }
  return undefined;
}

function note(iconName: string, text: string): HTMLElement {
  return element('div', { class: 'notice' }, icon(iconName), element('span', {}, text));
}
