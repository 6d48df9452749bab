import type { ContextPart, PromptPartText } from '../../../protocol';
import type { PartLabel, PromptSpan } from '../../prompt/parts';
import type { Tokenizer } from '../../tokenizer/tokenizer';

type Kind = PromptPartText['part'];

const KINDS: Record<PartLabel['kind'], Kind> = {
  template: 'template',
  instructions: 'instructions',
  tree: 'tree',
  file: 'files',
  rankedFile: 'files',
  newerFile: 'files',
  removedFile: 'files',
  paths: 'files',
  history: 'history',
  attachment: 'attachments',
  question: 'question',
};

/** What a prompt is made of, in tokens. */
export function partTokens(
  spans: readonly PromptSpan[],
  promptTokens: number,
): { part: ContextPart; tokens: number }[] {
  const counts = new Map<ContextPart, number>();
  for (const { label, startToken, endToken } of bounded(spans, promptTokens)) {
    const kind = KINDS[label.kind];
    const part = kind === 'template' ? 'instructions' : kind;
    counts.set(part, (counts.get(part) ?? 0) + endToken - startToken);
  }
  return [...counts].map(([part, tokens]) => ({ part, tokens }));
}

/** The text of every run of tokens, and what it is. Runs that belong together are one part of several pieces. */
export function promptText(
  tokenIds: Int32Array,
  spans: readonly PromptSpan[],
  tokenizer: Tokenizer,
): PromptPartText[] {
  const parts: PromptPartText[] = [];
  let before: PartLabel | undefined;
  for (const { label, startToken, endToken, template } of bounded(spans, tokenIds.length)) {
    const piece = template ?? tokenizer.decode(tokenIds.subarray(startToken, endToken));
    const last = parts.at(-1);
    if (last && before && isSame(label, before)) {
      last.pieces.push(piece);
      last.tokens += endToken - startToken;
    } else {
      const path = 'path' in label ? { path: label.path } : {};
      parts.push({ part: KINDS[label.kind], ...path, tokens: endToken - startToken, pieces: [piece] });
    }
    before = label;
  }
  return parts;
}

function isSame(a: PartLabel, b: PartLabel): boolean {
  return a.kind === b.kind && ('path' in a ? 'path' in b && a.path === b.path : true);
}

function bounded(spans: readonly PromptSpan[], promptTokens: number): (PromptSpan & { endToken: number })[] {
  return spans.map((span, at) => ({ ...span, endToken: spans[at + 1]?.startToken ?? promptTokens }));
}
