import type { EncodedMessage } from './chat-frame';
import { type FileBlock, newerVersionPieces, piecesOf } from './file-block';
import type { PartLabel, PromptPart } from './parts';
import type { PathList } from './path-list';
import { NEWER_FILES_TEXT, QUESTION_LABEL, REMINDER_TEXT, removedFileText, SYSTEM_TEXT } from './prompt-text';

/** The parts of a prompt, in the order in which they are sent. */
export interface PromptParts extends BaseParts {
  /** Earlier turns, oldest first, as ids. */
  history: readonly EncodedMessage[];
  changes: Changes;
  /** Paths of files that there was no room for. */
  paths: PathList;
  /** Files chosen for this question, the best one last. */
  ranked: readonly FileBlock[];
  /** Text that belongs to this question alone: the open editor, selections, excerpts, what it is about. */
  attachments: readonly string[];
  question: string;
}

/** What does not depend on the question: the part of a prompt that is kept warm. */
export interface BaseParts {
  /** The outline of the repository; empty when every file is there. */
  outline: string;
  /** In the order of `orderFiles`. */
  base: readonly FileBlock[];
}

/** What became of files of the base since it was prefilled. */
export interface Changes {
  /** Their text now. */
  newer: readonly FileBlock[];
  removed: readonly string[];
}

export const NO_CHANGES: Changes = { newer: [], removed: [] };

/**
 * The order of a prompt is a contract with the prefix cache: what changes least comes first.
 *
 *   system, tree, files (longest unedited first)  |  earlier turns  |
 *       newer versions of files, files for the question (attached ones last), open editor, selections and symbols,
 *       problems, terminal, git, instruction again, question
 *
 * The first group depends on the repository, not on the question; so the KV of those tokens serves every later
 * question. Editing a file changes nothing before it. Nothing that varies with the question or the clock may
 * move up. Each part is encoded by itself, so that ids never merge across parts and a count of the whole is the
 * sum of the counts of its parts.
 */
export function orderMessages(parts: PromptParts, encode: (text: string) => Int32Array): EncodedMessage[] {
  const text = (label: PartLabel, words: string): PromptPart[] =>
    words === '' ? [] : [{ label, ids: encode(words) }];
  const file = (kind: 'file' | 'rankedFile', block: FileBlock): PromptPart[] =>
    labelled({ kind, path: block.path, editedAtMs: block.editedAtMs }, piecesOf(block));
  return [
    {
      role: 'system',
      parts: [
        ...text({ kind: 'instructions' }, SYSTEM_TEXT),
        ...text({ kind: 'tree' }, parts.outline),
        ...parts.base.flatMap((block) => file('file', block)),
      ],
    },
    ...parts.history,
    {
      role: 'user',
      parts: [
        ...changeParts(parts.changes, encode),
        ...pathParts(parts.paths),
        ...parts.ranked.flatMap((block) => file('rankedFile', block)),
        ...parts.attachments.flatMap((words) => text({ kind: 'attachment' }, words)),
        ...text({ kind: 'question' }, REMINDER_TEXT + QUESTION_LABEL),
        ...text({ kind: 'question' }, parts.question),
      ],
    },
  ];
}

const labelled = (label: PartLabel, pieces: readonly Int32Array[]): PromptPart[] =>
  pieces.map((ids) => ({ label, ids }));

const pathParts = ({ pieces }: PathList): PromptPart[] => labelled({ kind: 'paths' }, pieces);

function changeParts({ newer, removed }: Changes, encode: (text: string) => Int32Array): PromptPart[] {
  if (newer.length + removed.length === 0) return [];
  return [
    { label: { kind: 'attachment' }, ids: encode(NEWER_FILES_TEXT) },
    ...removed.map(
      (path): PromptPart => ({
        label: { kind: 'removedFile', path },
        ids: encode(removedFileText(path)),
      }),
    ),
    ...newer.flatMap((block) =>
      labelled(
        { kind: 'newerFile', path: block.path, editedAtMs: block.editedAtMs },
        newerVersionPieces(block, encode),
      ),
    ),
  ];
}

/** Files in the order in which they stand in the base: longest unedited first, by path where that is equal. */
export function orderFiles<T extends { path: string; editedAtMs: number }>(files: readonly T[]): T[] {
  return [...files].sort((a, b) => a.editedAtMs - b.editedAtMs || (a.path < b.path ? -1 : 1));
}
