import type { Citation, SymbolLink } from '../../protocol';
import { placeText } from './citation-links';
import { element, iconButton, linkButton } from './dom';
import type { Host } from './host';
import { CITATION_ATTRIBUTE, renderBlocks, SYMBOL_ATTRIBUTE } from './markdown';
import { sanitized } from './sanitize';

/** While an answer grows it is drawn at most this often. */
const REDRAW_MS = 80;

/** Draws the Markdown of one answer; while it grows, only the blocks that changed are replaced. */
export class AnswerView {
  readonly root = element('div', { class: 'answer' });
  private drawn: string[] = [];
  private citations: readonly Citation[] = [];
  private symbols: readonly SymbolLink[] = [];
  private latest = '';
  private timer: number | undefined;

  constructor(private readonly host: Host) {}

  /** Draws `text` soon. */
  grow(text: string): void {
    this.latest = text;
    this.timer ??= window.setTimeout(() => this.draw(), REDRAW_MS);
  }

  /** Draws the final text at once, with links to the places that it cites and to what it names. */
  finish(text: string, citations: readonly Citation[], symbols: readonly SymbolLink[] = []): void {
    this.latest = text;
    this.citations = citations;
    this.symbols = symbols;
    // Blocks drawn while the answer grew hold no links yet.
    if (citations.length + symbols.length > 0) this.drawn = [];
    this.draw();
  }

  dispose(): void {
    window.clearTimeout(this.timer);
  }

  private draw(): void {
    window.clearTimeout(this.timer);
    this.timer = undefined;
    const blocks = renderBlocks(this.latest, this.citations, this.symbols);
    const same = this.drawn.findIndex((block, index) => block !== blocks[index]);
    const keep = same < 0 ? this.drawn.length : same;
    while (this.root.children.length > keep) this.root.lastElementChild?.remove();
    for (const block of blocks.slice(keep)) this.root.append(this.blockElement(block));
    this.drawn = blocks;
  }

  private blockElement(html: string): HTMLElement {
    const block = element('div', { class: 'block' }, sanitized(html));
    for (const pre of block.querySelectorAll('pre')) this.dressCode(pre);
    for (const place of block.querySelectorAll(`[${CITATION_ATTRIBUTE}]`)) this.linkPlace(place);
    for (const name of block.querySelectorAll(`[${SYMBOL_ATTRIBUTE}]`)) this.linkSymbol(name);
    return block;
  }

  private dressCode(pre: HTMLPreElement): void {
    const code = pre.textContent.replace(/\n$/, '');
    const language = pre.dataset['language'] ?? '';
    const bar = element(
      'div',
      { class: 'code-bar' },
      element('span', { class: 'code-language' }, language),
      iconButton('insert', 'Insert at Cursor', () => this.host.send({ kind: 'insert', text: code })),
      iconButton('copy', 'Copy', () => this.host.send({ kind: 'copy', text: code })),
    );
    const frame = element('div', { class: 'code' });
    // Long lines scroll sideways, which the keyboard must reach too.
    pre.tabIndex = 0;
    pre.setAttribute('aria-label', language ? `Code, ${language}` : 'Code');
    pre.setAttribute('role', 'group');
    pre.replaceWith(frame);
    frame.append(bar, pre);
  }

  private linkSymbol(name: Element): void {
    const link = this.symbols[Number(name.getAttribute(SYMBOL_ATTRIBUTE))];
    if (link) name.replaceWith(symbolLink(this.host, link, name.textContent));
  }

  private linkPlace(place: Element): void {
    const citation = this.citations[Number(place.getAttribute(CITATION_ATTRIBUTE))];
    if (!citation) return;
    place.replaceWith(placeLink(this.host, citation, place.textContent));
  }
}

/** A name as a link to where it is defined, in the letters of code. */
function symbolLink(host: Host, { places }: SymbolLink, text: string): HTMLElement {
  const [first] = places;
  const where =
    places.length > 1 || !first ? `one of ${places.length} places` : `${first.path}:${first.line}`;
  const link = linkButton('', `Go to the definition: ${where}`, () =>
    host.send({ kind: 'openSymbol', places }),
  );
  link.classList.add('symbol');
  link.append(element('code', {}, text));
  return link;
}

/** A link that opens the cited lines. One that was not verified says so in words. */
export function placeLink(host: Host, citation: Citation, text: string): HTMLElement {
  const { path, startLine, endLine, verified } = citation;
  const title = verified
    ? `Open ${placeText(citation)}`
    : `Open ${placeText(citation)}. ${whyUnverified(citation)}`;
  const link = linkButton(text, title, () => host.send({ kind: 'openPlace', path, startLine, endLine }));
  if (verified) return link;
  return element('span', {}, link, element('span', { class: 'unverified', title }, ' (unverified)'));
}

function whyUnverified({ claim }: Citation): string {
  return claim === ''
    ? 'The answer claims nothing of these lines that could be checked.'
    : `These lines do not hold “${claim}”.`;
}
