import '@vscode-elements/elements/dist/vscode-textarea';
import type { ChatAttachments, ChatHostMessage } from '../../protocol';
import { AttachmentChips } from './attachment-chips';
import { element, iconButton } from './dom';
import { droppedAddresses, mayBePaths, mayHoldFiles } from './dropped';
import type { Host } from './host';
import { MentionCompletion } from './mention-completion';
import { QuestionHistory } from './question-history';

const PLACEHOLDER = 'Ask the repository; @ to attach';

/** Where the question is written: text, attachments, Send and Stop. */
export class Composer {
  private readonly input = element('vscode-textarea', { rows: '1', class: 'input' });
  private readonly chips: AttachmentChips;
  private readonly mentions: MentionCompletion;
  private readonly model = element('span', { class: 'composer-model' });
  private readonly sendButton: HTMLElement;
  private readonly stopButton: HTMLElement;
  private readonly history = new QuestionHistory();
  private isRunning = false;
  readonly root: HTMLElement;

  constructor(private readonly host: Host) {
    this.sendButton = iconButton('send', 'Send (Enter)', () => this.submit());
    this.stopButton = iconButton('debug-stop', 'Stop (Escape)', () => this.stop());
    this.chips = new AttachmentChips((index) => {
      host.send({ kind: 'detach', index });
      this.focus();
    });
    this.mentions = new MentionCompletion(host, this.mentionInput(), (option) => this.pointAt(option));
    this.root = element(
      'section',
      { class: 'composer', 'aria-label': 'New question' },
      this.mentions.list.root,
      this.mentions.list.status,
      this.chips.root,
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
    this.input.addEventListener('input', () => {
      this.remember();
      this.mentions.follow();
    });
    this.input.addEventListener('keydown', (event) => this.onKey(event));
    this.input.addEventListener('keyup', ({ key }) => {
      if (/^(?:Arrow(?:Left|Right)|Home|End)$/.test(key)) this.mentions.follow();
    });
    this.input.addEventListener('click', () => this.mentions.follow());
    this.input.addEventListener('focusout', () => this.mentions.close());
    this.input.addEventListener('paste', ({ clipboardData }) => {
      const text = clipboardData?.getData('text/plain') ?? '';
      if (mayBePaths(text)) this.host.send({ kind: 'pasted', text });
    });
    this.acceptDrops();
    this.root.addEventListener('click', ({ target }) => {
      if (target === this.root) this.focus();
    });
    this.setRunning(false);
    this.setAttachments({ attachments: [] });
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

  setAttachments(attachments: ChatAttachments): void {
    this.chips.show(attachments);
  }

  /** The question was not sent: it is here again, with the reason. */
  refuse({ question, reason }: Extract<ChatHostMessage, { kind: 'refused' }>): void {
    if (this.input.value === '') this.write(question);
    this.chips.refuse(reason);
    this.focus();
  }

  takeCompletions({ request, ...found }: Extract<ChatHostMessage, { kind: 'completions' }>): void {
    this.mentions.take(found, request);
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
    this.mentions.close();
    this.write('');
  }

  private onKey(event: KeyboardEvent): void {
    // Enter also ends the composition of a character of another script.
    if (event.isComposing) return;
    if (this.mentions.onKey(event)) {
      event.preventDefault();
      // Escape closes the list and stops no answer.
      event.stopPropagation();
      return;
    }
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

  private mentionInput() {
    const { input } = this;
    return {
      get text() {
        return input.value;
      },
      get caret() {
        return input.wrappedElement.selectionStart;
      },
      write: (text: string, caret: number) => {
        this.write(text);
        input.wrappedElement.value = text;
        input.wrappedElement.setSelectionRange(caret, caret);
      },
    };
  }

  /** Tells screen readers which option of the list is meant; a text of several lines may not call itself a combobox. */
  private pointAt(option: HTMLElement | null): void {
    const { wrappedElement } = this.input;
    wrappedElement.setAttribute('aria-autocomplete', 'list');
    wrappedElement.setAttribute('aria-haspopup', 'listbox');
    // By reference, since the box is in a shadow tree of its own, in which an id of the list means nothing.
    wrappedElement.ariaControlsElements = option ? [this.mentions.list.listElement] : null;
    wrappedElement.ariaActiveDescendantElement = option;
  }

  /** The editor lets a page see what is dragged over it while Shift is held. */
  private acceptDrops(): void {
    const mark = (isOver: boolean): void => void this.root.classList.toggle('drop', isOver);
    window.addEventListener('dragover', (event) => {
      if (!event.dataTransfer || !mayHoldFiles(event.dataTransfer)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = 'copy';
      mark(true);
    });
    window.addEventListener('dragleave', ({ relatedTarget }) => {
      if (relatedTarget === null) mark(false);
    });
    window.addEventListener('drop', (event) => {
      mark(false);
      if (!event.dataTransfer || !mayHoldFiles(event.dataTransfer)) return;
      event.preventDefault();
      this.host.send({ kind: 'drop', uris: droppedAddresses(event.dataTransfer) });
      this.focus();
    });
  }

  /** Lets the box grow with its text; the limit is in the style sheet. */
  private async grow(): Promise<void> {
    await this.input.updateComplete;
    this.input.wrappedElement.style.setProperty('field-sizing', 'content');
    this.input.wrappedElement.style.setProperty('resize', 'none');
    this.input.wrappedElement.style.setProperty('max-height', 'var(--composer-max-height)');
  }
}
