import type { Turn } from '../../protocol';
import type { EncodedMessage } from './chat-frame';
import { QUESTION_LABEL, REMINDER_TEXT, SYSTEM_TEXT } from './prompt-text';

/** The parts of a prompt as token ids, in the order in which they are sent. */
export interface PromptParts {
  /** The outline of the repository; empty when every file is there. */
  outline: string;
  /** Files in a fixed order; each is one run of ids. */
  files: readonly Int32Array[];
  /** Earlier turns, oldest first. */
  history: readonly Turn[];
  /** Text that belongs to this question alone: selections, and the files it is about. */
  attachments: readonly string[];
  question: string;
}

/**
 * The order of a prompt is a contract with the prefix cache: what changes least comes first.
 *
 *   system, outline, files  |  earlier turns  |  attachments, instruction again, question
 *
 * The first group depends on the repository, not on the question, as long as everything fits; so the KV of
 * those tokens serves every later question. Nothing that varies with the question or the clock may move up.
 * Each part is encoded by itself, so that ids never merge across parts and a count of the whole is the sum
 * of the counts of its parts.
 */
export function orderMessages(parts: PromptParts, encode: (text: string) => Int32Array): EncodedMessage[] {
  const nonEmpty = (text: string) => (text === '' ? [] : [encode(text)]);
  return [
    {
      role: 'system',
      parts: [encode(SYSTEM_TEXT), ...nonEmpty(parts.outline), ...parts.files],
    },
    ...parts.history.map((turn) => ({ role: turn.role, parts: nonEmpty(turn.text) })),
    {
      role: 'user',
      parts: [
        ...parts.attachments.map(encode),
        encode(REMINDER_TEXT + QUESTION_LABEL),
        ...nonEmpty(parts.question),
      ],
    },
  ];
}

/** Files in the order in which they stand in the prompt. */
export function orderFiles<T extends { path: string }>(files: readonly T[]): T[] {
  // By path until the time of the last edit is known here: then the files that are edited least come first.
  return [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
}
