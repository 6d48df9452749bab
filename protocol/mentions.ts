import type { Findable } from './find';

/** What can be mentioned in a question with `@`. */
export const MENTIONS = ['file', 'folder', 'symbol', 'selection', 'problems', 'terminal', 'git'] as const;
export type MentionKind = (typeof MENTIONS)[number];

/** A mention that was chosen: the extension makes an attachment of it. */
export type MentionChoice =
  | { kind: 'file' | 'folder'; path: string }
  | Extract<Findable, { kind: 'symbol' }>
  | { kind: 'selection' }
  /** Of the file in front of the user, or of all files. */
  | { kind: 'problems'; scope: 'file' | 'all' }
  /** `id` of a command whose output is kept. */
  | { kind: 'terminal'; id: string }
  | { kind: 'git'; repository: string; what: 'changes' | 'staged' }
  | { kind: 'git'; repository: string; what: 'commit'; hash: string };

/** One line of the completion list. */
export interface Completion {
  choice: MentionChoice;
  label: string;
  detail: string;
  /** Name of a codicon. */
  icon: string;
  /** What stands in the question for it. */
  insert: string;
}

export interface Completions {
  items: Completion[];
  /** Why there are none or not all, in words. */
  remark?: string;
}
