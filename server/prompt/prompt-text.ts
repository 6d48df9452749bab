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
