import type { ExclusionReason } from '../../protocol';

/** What is known of a file's content. `hash` is the sha256 of its text, hex. */
export type FileState = { kind: 'text'; hash: string } | { kind: 'excluded'; reason: ExclusionReason };

export const UNKNOWN = 0;
export const TEXT = 1;

/** A number for each reason, as it is kept in columns and in the saved index: numbers that are given stay. */
const CODES: Readonly<Record<ExclusionReason, number>> = {
  binary: 2,
  lockFile: 3,
  generated: 4,
  minified: 5,
  tooLarge: 6,
  notUtf8: 7,
  unreadable: 8,
  empty: 9,
  noRoom: 10,
  secret: 11,
  excludedByHand: 12,
};

const REASONS = new Map(Object.entries(CODES).map(([reason, code]) => [code, reason as ExclusionReason]));

export const codeOfReason = (reason: ExclusionReason): number => CODES[reason];

/** Undefined for a code that is none of a reason. */
export const reasonOfCode = (code: number): ExclusionReason | undefined => REASONS.get(code);
