/** Where text comes from that is no file of the repository. */
export const EXCERPT_SOURCES = ['problems', 'terminal', 'git'] as const;
export type ExcerptSource = (typeof EXCERPT_SOURCES)[number];

/** Something the user adds to the question by hand. Lines count from 1; both ends are included. */
export type Attachment =
  | { kind: 'file'; path: string }
  /** Every file of the list below it. */
  | { kind: 'folder'; path: string }
  /** A definition as it is when the question is asked: the one of this name that is nearest to these lines. */
  | { kind: 'symbol'; path: string; name: string; startLine: number; endLine: number }
  | { kind: 'selection'; path: string; startLine: number; endLine: number; text: string }
  /** Text as it was when it was attached. `label` says in words what it is. */
  | { kind: 'excerpt'; source: ExcerptSource; label: string; text: string };
