import { MENTIONS, type MentionKind } from '../../protocol';

/** A mention that is being written, and where it stands in the text. */
export interface MentionQuery {
  /** Offset of the `@`. */
  start: number;
  /** Offset after its last character: the caret. */
  end: number;
  /** Absent while it is not said what is mentioned. */
  kind?: MentionKind;
  query: string;
}

/** `@`, a part of a word, and after a colon what is looked for: `@fil`, `@file:stack`, `@src/a.ts`. */
const WRITTEN = /(?:^|[\s([{"'])@(?:(?<kind>[a-z]+):)?(?<query>[^\s@]*)$/;

/** The mention that ends at the caret; undefined when none does. An address such as `me@example.com` is none. */
export function mentionAt(text: string, caret: number): MentionQuery | undefined {
  const match = WRITTEN.exec(text.slice(0, caret));
  if (!match?.groups) return undefined;
  const { kind, query = '' } = match.groups;
  const start = caret - query.length - (kind === undefined ? 0 : kind.length + 1) - 1;
  if (kind === undefined) return { start, end: caret, query };
  const known = MENTIONS.find((each) => each === kind);
  return known && { start, end: caret, kind: known, query };
}

/** The text with `insert` in place of the mention, and where the caret stands then. */
export function withMention(
  text: string,
  { start, end }: MentionQuery,
  insert: string,
): { text: string; caret: number } {
  const before = text.slice(0, start) + insert;
  const after = text.slice(end);
  // A mention that is complete is followed by a space; one that goes on is not.
  const space = insert.endsWith(':') || /^\s/.test(after) ? '' : ' ';
  return { text: before + space + after, caret: before.length + (insert.endsWith(':') ? 0 : 1) };
}
