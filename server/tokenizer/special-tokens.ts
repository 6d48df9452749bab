import type { TokenId } from './tokenizer';

/** Finds special tokens written in a text, the longest where several begin at one place. */
export class SpecialTokens {
  readonly #pattern: RegExp | undefined;

  /** `idOfText`: the special tokens of the vocabulary; none has an empty text. */
  constructor(private readonly idOfText: ReadonlyMap<string, TokenId>) {
    const longestFirst = [...idOfText.keys()].sort((a, b) => b.length - a.length);
    if (longestFirst.length > 0) this.#pattern = new RegExp(longestFirst.map(escapeForRegExp).join('|'), 'g');
  }

  /** Calls back in order with the special tokens of `text` and the non-empty stretches between them. */
  split(text: string, onText: (stretch: string) => void, onToken: (id: TokenId) => void): void {
    let position = 0;
    for (const match of this.#pattern ? text.matchAll(this.#pattern) : []) {
      if (match.index > position) onText(text.slice(position, match.index));
      onToken(this.idOfText.get(match[0]) as TokenId);
      position = match.index + match[0].length;
    }
    if (position < text.length) onText(text.slice(position));
  }
}

const escapeForRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
