import { element, icon } from './dom';

/** One line of the list. */
export interface MentionOption {
  label: string;
  detail: string;
  icon: string;
  choose: () => void;
}

const ID = 'mention-list';

/**
 * The list below `@`: an ARIA listbox that the keyboard never enters. It stays in the question, which says by
 * `aria-activedescendant` which option is meant.
 */
export class MentionList {
  private readonly list = element('div', {
    id: ID,
    class: 'mention-options',
    role: 'listbox',
    'aria-label': 'Mentions',
  });
  private readonly remark = element('div', { class: 'mention-remark' });
  readonly root = element('div', { class: 'mentions' }, this.list, this.remark);
  /** Spoken when the list changes; which option is meant is told by the question box. */
  readonly status = element('div', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' });
  private options: readonly MentionOption[] = [];
  private active = -1;

  constructor(private readonly onActive: (option: HTMLElement | null) => void) {
    this.root.hidden = true;
    // Where the keyboard is does not change with a click.
    this.root.addEventListener('mousedown', (event) => event.preventDefault());
  }

  get isOpen(): boolean {
    return !this.root.hidden;
  }

  get listElement(): HTMLElement {
    return this.list;
  }

  show(options: readonly MentionOption[], remark: string): void {
    this.options = options;
    this.list.replaceChildren(...options.map((option, index) => this.optionElement(option, index)));
    this.list.hidden = options.length === 0;
    this.remark.textContent = remark;
    this.remark.hidden = remark === '';
    this.root.hidden = options.length === 0 && remark === '';
    this.status.textContent = spoken(options.length, remark);
    this.activate(options.length > 0 ? 0 : -1);
  }

  close(): void {
    if (!this.isOpen) return;
    this.root.hidden = true;
    this.options = [];
    this.list.replaceChildren();
    this.status.textContent = '';
    this.activate(-1);
  }

  /** Goes on by `by` options, around the ends. */
  move(by: number): void {
    const { length } = this.options;
    if (length > 0) this.activate((this.active + by + length) % length);
  }

  /** Chooses the active option; false when there is none. */
  choose(): boolean {
    const option = this.options[this.active];
    option?.choose();
    return option !== undefined;
  }

  private activate(index: number): void {
    this.active = index;
    [...this.list.children].forEach((child, at) => {
      child.setAttribute('aria-selected', String(at === index));
      if (at === index) child.scrollIntoView({ block: 'nearest' });
    });
    this.onActive((this.list.children[index] as HTMLElement | undefined) ?? null);
  }

  private optionElement(
    { label, detail, icon: iconName, choose }: MentionOption,
    index: number,
  ): HTMLElement {
    const option = element(
      'div',
      {
        class: 'mention',
        role: 'option',
        id: `${ID}-${index}`,
        title: detail === '' ? label : `${label} ${detail}`,
      },
      icon(iconName),
      element('span', { class: 'mention-label' }, label),
      element('span', { class: 'mention-detail' }, detail),
    );
    option.addEventListener('click', choose);
    option.addEventListener('mousemove', () => {
      if (this.active !== index) this.activate(index);
    });
    return option;
  }
}

function spoken(count: number, remark: string): string {
  const suggestions = count === 1 ? '1 suggestion' : `${count} suggestions`;
  return count === 0 ? remark : `${suggestions}. ${remark}`.trim();
}
