import { joinTokens } from '../../server/prompt/parts';
import type { SourceFile } from './fetch';
import { plant, type Question, type QuestionCounts } from './planting';
import type { PromptWriter } from './prompts';
import type { Planting } from './sets';

/** A prefix of a certain length with everything that is asked about it, as token ids. */
export interface Cell {
  name: string;
  language: string;
  prefix: Int32Array;
  questions: (Question & { rest: Int32Array })[];
  /** The repository's text right after the prefix: what is forced on the model, token by token. */
  continuation: Int32Array;
  /** A question with a free answer. */
  free: Int32Array;
}

/** Room for a question and its answer within the length. */
export const QUESTION_TOKENS = 400;
/** Of the text after the prefix, forced. */
export const FORCED_TOKENS = 350;
/** A needle's line, at most: tokens kept free for each. */
const NEEDLE_TOKENS = 21;
/** A file longer than this share of the prefix is passed over: short prefixes hold several files, too. */
const LONGEST_FILE_SHARE = 0.25;

/**
 * Builds a cell whose prompts have at most `lengthTokens` tokens.
 * @throws Error where the repository is too small
 */
export function buildCell(
  writer: PromptWriter,
  corpus: readonly SourceFile[],
  planting: Planting,
  lengthTokens: number,
  counts: QuestionCounts,
): Cell {
  const needles = counts.needle + 4 * counts.multiKey + 2 * counts.tracking;
  const room = lengthTokens - QUESTION_TOKENS - needles * NEEDLE_TOKENS;
  const { taken, left } = takeFiles(writer, corpus, room);
  const { files, questions } = plant(taken, planting, counts);
  const { repository, seed } = planting;
  return {
    name: `${repository.id}-${seed}`,
    language: repository.language,
    prefix: writer.prefix(files),
    questions: questions.map((question) => ({ ...question, rest: writer.rest(question) })),
    continuation: continuationOf(writer, left),
    free: writer.rest({ text: freeQuestion(files), lead: '' }),
  };
}

/** Whole files up to `roomTokens`, the last one cut at a line, and the files behind them. */
function takeFiles(writer: PromptWriter, corpus: readonly SourceFile[], roomTokens: number) {
  const taken: SourceFile[] = [];
  let used = 0;
  for (const [i, file] of corpus.entries()) {
    const tokens = writer.file(file).length;
    if (tokens > LONGEST_FILE_SHARE * roomTokens) continue;
    if (used + tokens <= roomTokens) {
      taken.push(file);
      used += tokens;
      continue;
    }
    const cut = cutTo(writer, file, roomTokens - used);
    if (cut) taken.push(cut);
    return { taken, left: corpus.slice(i + 1) };
  }
  throw new Error(`the corpus has ${used} tokens in suitable files, and ${roomTokens} are needed`);
}

function cutTo(writer: PromptWriter, file: SourceFile, roomTokens: number): SourceFile | undefined {
  const lines = file.text.split('\n');
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const text = `${lines.slice(0, middle).join('\n')}\n`;
    if (writer.file({ ...file, text }).length <= roomTokens) low = middle;
    else high = middle - 1;
  }
  return low === 0 ? undefined : { ...file, text: `${lines.slice(0, low).join('\n')}\n` };
}

function continuationOf(writer: PromptWriter, left: readonly SourceFile[]): Int32Array {
  const pieces: Int32Array[] = [];
  let tokens = 0;
  for (const file of left) {
    if (tokens >= FORCED_TOKENS) break;
    const piece = writer.file(file);
    pieces.push(piece);
    tokens += piece.length;
  }
  if (tokens < FORCED_TOKENS) throw new Error('the corpus ends too soon behind the prefix');
  return joinTokens(pieces).slice(0, FORCED_TOKENS);
}

/** About a file in the middle, which no dense tail covers. */
function freeQuestion(files: readonly SourceFile[]): string {
  const file = files[Math.floor(files.length / 2)];
  return `What does the file ${file?.path ?? ''} do, and which functions or classes does it define?`;
}
