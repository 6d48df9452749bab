import '@vscode-elements/elements/dist/vscode-textarea';
import type { Attachment } from '../../protocol';
import { attachmentLabel } from './attachment-label';
import { element, icon, iconButton } from './dom';
import type { Host } from './host';
import { QuestionHistory } from './question-history';

const PLACEHOLDER = 'Ask about this repository';

/** Where the question is written: text, attachments, Send and Stop. */
export class Composer {
  private readonly input = element('vscode-textarea', { rows: '1', class: 'input' });
  private readonly chips = element('div', { class: 'chips', role: 'list', 'aria-label': 'Attachments' });
  private readonly model = element('span', { class: 'composer-model' });
  private readonly sendButton: HTMLElement;
  private readonly stopButton: HTMLElement;
  private readonly history = new QuestionHistory();
  private isRunning = false;
  readonly root: HTMLElement;

  constructor(private readonly host: Host) {
    this.sendButton = iconButton('send', 'Send (Enter)', () => this.submit());
    this.stopButton = iconButton('debug-stop', 'Stop (Escape)', () => this.stop());
    this.root = element(
      'section',
      { class: 'composer', 'aria-label': 'New question' },
      this.chips,
      this.input,
      element(
        'div',
        { class: 'composer-bar' },
        iconButton('attach', 'Attach the Selection or the Active File', () =>
          this.host.send({ kind: 'attach' }),
        ),
        this.model,
        this.stopButton,
        this.sendButton,
      ),
    );
    this.input.label = 'Question';
    this.input.placeholder = PLACEHOLDER;
    this.input.value = host.state.draft;
    this.input.addEventListener('input', () => this.remember());
    this.input.addEventListener('keydown', (event) => this.onKey(event));
    this.root.addEventListener('click', ({ target }) => {
      if (target === this.root) this.focus();
    });
    this.setRunning(false);
    this.setAttachments([]);
    void this.grow();
  }

  focus(): void {
    this.input.focus();
  }

  setRunning(isRunning: boolean): void {
    const hadFocus = this.root.contains(document.activeElement);
    this.isRunning = isRunning;
    this.stopButton.hidden = !isRunning;
    this.sendButton.hidden = isRunning;
    // A button that vanishes under the keyboard would leave it nowhere.
    if (hadFocus && document.activeElement !== this.input) this.focus();
  }

  setModel(words: string): void {
    this.model.textContent = words;
    this.model.title = words;
  }

  setQuestions(questions: string[]): void {
    this.history.set(questions);
  }

  setAttachments(attachments: Attachment[]): void {
    this.chips.hidden = attachments.length === 0;
    this.chips.replaceChildren(
      ...attachments.map((attachment, index) => {
        const label = attachmentLabel(attachment);
        const remove = iconButton('close', `Remove ${label}`, () => {
          this.host.send({ kind: 'detach', index });
          this.focus();
        });
        return element(
          'span',
          { class: 'chip', role: 'listitem', title: attachment.path },
          icon('file'),
          label,
          remove,
        );
      }),
    );
  }

  stop(): void {
    if (!this.isRunning) return;
    this.host.send({ kind: 'stop' });
    this.focus();
  }

  private submit(): void {
    const question = this.input.value.trim();
    if (question === '' || this.isRunning) return;
    this.host.send({ kind: 'ask', question });
    this.write('');
  }

  private onKey(event: KeyboardEvent): void {
    // Enter also ends the composition of a character of another script.
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === 'ArrowUp' && (this.input.value === '' || this.history.isRecalled)) {
      this.recall(this.history.older(), event);
    } else if (event.key === 'ArrowDown' && this.history.isRecalled) {
      this.recall(this.history.newer(), event);
    }
  }

  private recall(question: string | undefined, event: KeyboardEvent): void {
    if (question === undefined) return;
    event.preventDefault();
    this.write(question);
  }

  private write(text: string): void {
    this.input.value = text;
    this.remember();
  }

  private remember(): void {
    this.host.state = { draft: this.input.value };
  }

  /** Lets the box grow with its text; the limit is in the style sheet. */
  private async grow(): Promise<void> {
    await this.input.updateComplete;
    this.input.wrappedElement.style.setProperty('field-sizing', 'content');
    this.input.wrappedElement.style.setProperty('resize', 'none');
    this.input.wrappedElement.style.setProperty('max-height', 'var(--composer-max-height)');
  }
}
