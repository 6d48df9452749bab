import type { MentionKind } from '../../protocol';

/** What a kind of mention is called, and whether something has to be chosen after it. */
export interface MentionWords {
  kind: MentionKind;
  detail: string;
  icon: string;
  /** False: it means one thing, and is attached at once. */
  opens: boolean;
}

export const MENTION_WORDS: readonly MentionWords[] = [
  { kind: 'file', detail: 'a file of the workspace', icon: 'file', opens: true },
  { kind: 'folder', detail: 'all files of a folder', icon: 'folder', opens: true },
  { kind: 'symbol', detail: 'a function, class or method', icon: 'symbol-method', opens: true },
  { kind: 'selection', detail: 'what is selected in the editor', icon: 'list-selection', opens: false },
  { kind: 'problems', detail: 'errors and warnings of the editor', icon: 'warning', opens: true },
  { kind: 'terminal', detail: 'the output of a command', icon: 'terminal', opens: true },
  { kind: 'git', detail: 'changes or a commit', icon: 'git-commit', opens: true },
];
