import type { Completion, Completions, MentionKind } from '../../protocol';
import type { Host } from './host';
import { MENTION_WORDS, type MentionWords } from './mention-kinds';
import { MentionList, type MentionOption } from './mention-list';
import { type MentionQuery, mentionAt, withMention } from './mention-query';

/** Typing goes on while a search is asked for. */
const SEARCH_DELAY_MS = 80;

const SEARCHING = 'Searching';
const NOTHING_FOUND = { kind: undefined, items: [] };

/** The text box that is written in. */
export interface MentionInput {
  readonly text: string;
  readonly caret: number;
  write(text: string, caret: number): void;
}

/** Completes `@` mentions: follows the text, asks the extension what there is, and passes on what is chosen. */
export class MentionCompletion {
  readonly list: MentionList;
  private current: MentionQuery | undefined;
  private timer: number | undefined;
  private request = 0;
  private found: { kind: MentionKind | undefined; items: readonly Completion[] } = NOTHING_FOUND;
  /** Closed by Escape at this text; typing on opens it again. */
  private dismissed: string | undefined;

  constructor(
    private readonly host: Host,
    private readonly input: MentionInput,
    onActive: (option: HTMLElement | null) => void,
  ) {
    this.list = new MentionList(onActive);
  }

  /** The text or the caret has changed. */
  follow(): void {
    const { text, caret } = this.input;
    const mention = mentionAt(text, caret);
    if (!mention || this.dismissed === text) {
      this.close();
      return;
    }
    this.dismissed = undefined;
    const isSame = this.list.isOpen && JSON.stringify(mention) === JSON.stringify(this.current);
    if (mention.kind !== this.found.kind) this.found = { kind: mention.kind, items: [] };
    this.current = mention;
    if (isSame) return;
    const isSearched = mention.kind !== undefined || mention.query !== '';
    this.show(mention, isSearched ? SEARCHING : '');
    if (isSearched) this.search(mention);
  }

  /** Takes what was found for the newest search; an older one is past. */
  take({ items, remark }: Completions, request: number): void {
    const mention = this.current;
    if (request !== this.request || !mention) return;
    this.found = { kind: mention.kind, items };
    this.show(mention, remark ?? (items.length === 0 ? 'Nothing is called so.' : ''));
  }

  /** True when the key was meant for the list. */
  onKey(event: KeyboardEvent): boolean {
    if (!this.list.isOpen || event.ctrlKey || event.metaKey || event.altKey) return false;
    switch (event.key) {
      case 'ArrowDown':
        this.list.move(1);
        return true;
      case 'ArrowUp':
        this.list.move(-1);
        return true;
      case 'Enter':
      case 'Tab':
        return !event.shiftKey && this.list.choose();
      case 'Escape':
        this.dismissed = this.input.text;
        this.close();
        return true;
      default:
        return false;
    }
  }

  close(): void {
    window.clearTimeout(this.timer);
    this.request++;
    this.current = undefined;
    this.found = NOTHING_FOUND;
    this.list.close();
  }

  /**
   * Shows the kinds and the items that fit what is typed; while a search runs, of those that the one before has found. So
   * what Enter takes is never left over from fewer letters.
   */
  private show({ kind, query }: MentionQuery, remark: string): void {
    const wanted = query.toLowerCase();
    const items =
      remark === SEARCHING
        ? this.found.items.filter(({ label, detail, insert }) =>
            `${label} ${detail} ${insert}`.toLowerCase().includes(wanted),
          )
        : this.found.items;
    const kinds = kind === undefined ? this.kinds(wanted) : [];
    const options = [...kinds, ...items.map((item) => this.itemOption(item))];
    this.list.show(options, options.length > 0 && remark === SEARCHING ? '' : remark);
  }

  private search({ kind, query }: MentionQuery): void {
    window.clearTimeout(this.timer);
    const request = ++this.request;
    this.timer = window.setTimeout(() => {
      this.host.send({ kind: 'complete', request, mention: kind ?? 'any', query });
    }, SEARCH_DELAY_MS);
  }

  private kinds(wanted: string): MentionOption[] {
    const words = MENTION_WORDS.filter(({ kind }) => kind.startsWith(wanted));
    return words.map((each) => this.kindOption(each));
  }

  private kindOption({ kind, detail, icon, opens }: MentionWords): MentionOption {
    const choose = (): void => {
      if (opens) {
        this.insert(`@${kind}:`);
        this.follow();
        return;
      }
      this.insert(`@${kind}`);
      this.close();
      this.host.send({ kind: 'mention', choice: { kind: 'selection' } });
    };
    return { label: `@${kind}`, detail, icon, choose };
  }

  private itemOption({ choice, label, detail, icon, insert }: Completion): MentionOption {
    const choose = (): void => {
      this.insert(insert);
      this.close();
      this.host.send({ kind: 'mention', choice });
    };
    return { label, detail, icon, choose };
  }

  private insert(insert: string): void {
    if (!this.current) return;
    const { text, caret } = withMention(this.input.text, this.current, insert);
    this.input.write(text, caret);
  }
}
