/** What a run of tokens in a prompt is. */
export type PartLabel =
  | { kind: 'template' | 'instructions' | 'tree' | 'history' | 'paths' | 'attachment' | 'question' }
  | { kind: 'file' | 'newerFile' | 'rankedFile'; path: string; editedAtMs: number }
  | { kind: 'removedFile'; path: string };

/** A run of tokens that is encoded by itself. */
export interface PromptPart {
  label: PartLabel;
  ids: Int32Array;
  /** Of the template: what the run says, since special tokens do not show in decoded text. */
  template?: string;
}

/** Where a part starts in a prompt; it ends where the next one starts. Parts of one file have the same label. */
export interface PromptSpan {
  startToken: number;
  label: PartLabel;
  template?: string;
}

/** The parts of a prompt by the token at which each starts. */
export function spansOf(parts: readonly PromptPart[]): PromptSpan[] {
  let startToken = 0;
  const spans: PromptSpan[] = [];
  for (const { label, ids, template } of parts) {
    if (ids.length > 0) spans.push({ startToken, label, ...(template !== undefined && { template }) });
    startToken += ids.length;
  }
  return spans;
}

const BASE_KINDS: readonly PartLabel['kind'][] = ['template', 'instructions', 'tree', 'file'];

/** Tokens of the base: what stands before everything that belongs to one conversation or question. */
export function baseTokensOf(spans: readonly PromptSpan[]): number {
  const end = spans.findIndex(({ label }) => !BASE_KINDS.includes(label.kind));
  const base = end < 0 ? spans : spans.slice(0, end);
  const last = base.findLastIndex(({ label }) => label.kind !== 'template');
  return spans[last + 1]?.startToken ?? 0;
}

/** The part that holds `token`; undefined past the end of an empty prompt. */
export function labelAt(spans: readonly PromptSpan[], token: number): PartLabel | undefined {
  return spans.findLast(({ startToken }) => startToken <= token)?.label;
}

export function countTokens(parts: readonly Pick<PromptPart, 'ids'>[]): number {
  return parts.reduce((sum, { ids }) => sum + ids.length, 0);
}

/** The tokens of all parts. */
export function idsOf(parts: readonly Pick<PromptPart, 'ids'>[]): Int32Array {
  return joinTokens(parts.map(({ ids }) => ids));
}

/** All pieces as one array. */
export function joinTokens(pieces: readonly Int32Array[]): Int32Array {
  const joined = new Int32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
