import { onOneLine } from './format';

/**
 * The words around the repository. Short, because a small window holds few tokens and a small model follows
 * few instructions. The instruction comes before the files and again before the question: the second one is
 * the one that models of 0.5B parameters follow (RepoQA repeats it for the same reason).
 */
export const SYSTEM_TEXT =
  'You answer questions about a code repository. Use only the files below. Be brief and exact, and name the file.\n\n';

export const REMINDER_TEXT =
  'Answer from the files of the repository above. Be brief and exact, and name the file.\n\n';

export const QUESTION_LABEL = 'Question: ';

/** Before files that were edited after the repository above was read by the model. */
export const NEWER_FILES_TEXT =
  'These files changed after they were shown above. Only what stands here is true of them now:\n\n';

export const removedFileText = (path: string): string => `The file ${onOneLine(path)} was deleted.\n`;

/** In place of the middle of an earlier turn that did not fit whole. */
export const SHORTENED_MARK = '\n[… left out …]\n';

export const openEditorText = (path: string): string => `The open editor shows ${onOneLine(path)}.\n\n`;
