import type { Attachment, ExcludedFile, IncludedFile, InclusionReport, Turn } from '../../protocol';
import { LongviewError, throwIfCancelled } from '../errors';
import { type ChatFrame, countTokens, joinTokens } from './chat-frame';
import { fileFence } from './format';
import { reportInclusion } from './inclusion';
import { orderFiles, orderMessages, type PromptParts } from './order';
import { outlineWithin } from './outline';
import type { PackedText } from './packed-text';

/** A file that can be packed: its text, and the ids of its fence and text together. */
export interface FileBlock {
  path: string;
  text: string;
  ids: Int32Array;
}

export type Selection = Extract<Attachment, { kind: 'selection' }>;

export interface PackInput {
  /** Tokens that the prompt may have at most. */
  budgetTokens: number;
  question: string;
  /** Oldest first. */
  history: readonly Turn[];
  selections: readonly Selection[];
  /** Files that the user named; they are packed before any other. */
  attachedPaths: readonly string[];
  /** Files in the manifest, usable or not. */
  totalFiles: number;
  /** Files that are known to hold text. */
  usablePaths: readonly string[];
  unusable: readonly ExcludedFile[];
  /** Usable paths, best first; asked for only when not everything fits. */
  rank: () => readonly string[];
  /** The file as it is now, or why it can no longer be used. */
  loadFile: (path: string) => Promise<FileBlock | ExcludedFile>;
  encode: (text: string) => Int32Array;
  frame: ChatFrame;
  signal: AbortSignal;
}

export interface PackedResult {
  tokenIds: Int32Array;
  inclusion: InclusionReport;
  /** What the model sees of files, for citations. */
  packed: PackedText[];
}

/** Share of the room that earlier turns may take from files. */
const HISTORY_SHARE = 1 / 3;
/** With less of the budget left, the rest of a large repository is not read for a file that might fit. */
const NEGLIGIBLE_SHARE = 0.01;

/**
 * Chooses what goes into the prompt and makes its token ids. All files when they fit; else the files that
 * rank best for the question, each whole: one that does not fit is passed over for the next. The newest
 * earlier turns are kept. The result never exceeds the budget, because every count is of the ids sent.
 * @throws LongviewError `promptTooLong` when question and attachments alone exceed the budget
 * @throws CancelledError
 */
export async function packPrompt(input: PackInput): Promise<PackedResult> {
  const layout = new Layout(input);
  const fixedTokens = layout.tokens({ files: [], history: [], outline: '' });
  const room = input.budgetTokens - fixedTokens;
  if (room < 0) throw tooLong(input, fixedTokens);

  const history = layout.historyWithin(room * HISTORY_SHARE);
  const choice = await chooseFiles(input, room - layout.historyTokens(history));
  const kept = layout.historyWithin(room - choice.tokens);

  const files = choice.all ? orderFiles(choice.files) : [...choice.files].reverse();
  const pieces = layout.pieces({
    files: files.map((file) => file.ids),
    history: kept,
    outline: choice.outline,
  });
  const promptTokens = countTokens(pieces);
  if (promptTokens > input.budgetTokens) {
    throw new Error(`packed ${promptTokens} tokens into a budget of ${input.budgetTokens}`);
  }
  return {
    tokenIds: joinTokens(pieces),
    inclusion: reportInclusion({
      totalFiles: input.totalFiles,
      included: [...files.map((file) => entryOf(file, input, choice.all)), ...selectionEntries(input)],
      unusable: [...input.unusable, ...choice.lost],
      usablePaths: input.usablePaths,
      budgetTokens: input.budgetTokens,
      promptTokens,
      droppedTurns: input.history.length - kept.length,
    }),
    packed: [
      ...files.map(({ path, text }) => ({ path, text, firstLine: 1 })),
      ...input.selections.map(({ path, text, startLine }) => ({ path, text, firstLine: startLine })),
    ],
  };
}

interface Choice {
  /** True when every usable file is there. */
  all: boolean;
  /** Best first, unless all are there. */
  files: FileBlock[];
  outline: string;
  /** Tokens of files and outline. */
  tokens: number;
  /** Files that turned out to be unusable. */
  lost: ExcludedFile[];
}

async function chooseFiles(input: PackInput, room: number): Promise<Choice> {
  return (await takeAll(input, room)) ?? (await takeBest(input, room));
}

/** All files, or undefined as soon as they are too many. */
async function takeAll(input: PackInput, room: number): Promise<Choice | undefined> {
  const choice: Choice = { all: true, files: [], outline: '', tokens: 0, lost: [] };
  for (const path of input.usablePaths) {
    await take(input, path, choice);
    if (choice.tokens > room) return undefined;
  }
  return choice;
}

async function takeBest(input: PackInput, room: number): Promise<Choice> {
  const outline = outlineWithin(input.usablePaths, room, input.encode);
  const tokens = outline === '' ? 0 : input.encode(outline).length;
  const choice: Choice = { all: false, files: [], outline, tokens, lost: [] };
  for (const path of new Set([...input.attachedPaths, ...input.rank()])) {
    if (room - choice.tokens < input.budgetTokens * NEGLIGIBLE_SHARE) break;
    const block = await take(input, path, choice);
    if (choice.tokens <= room || !block) continue;
    if (input.attachedPaths.includes(path)) throw attachmentTooLong(path, block.ids.length, room);
    choice.files.pop();
    choice.tokens -= block.ids.length;
  }
  return choice;
}

/** Adds one file to the choice, or notes that it is lost. */
async function take(input: PackInput, path: string, choice: Choice): Promise<FileBlock | undefined> {
  throwIfCancelled(input.signal);
  const block = await input.loadFile(path);
  if ('reason' in block) {
    choice.lost.push(block);
    return undefined;
  }
  choice.files.push(block);
  choice.tokens += block.ids.length;
  return block;
}

/** The prompt as a function of what is chosen, and the cost of each choice in tokens. */
class Layout {
  private readonly attachments: string[];
  private readonly encoded = new Map<string, Int32Array>();

  constructor(private readonly input: PackInput) {
    this.attachments = [...input.selections.map(selectionText), ...attachedFilesText(input.attachedPaths)];
  }

  pieces(chosen: Pick<PromptParts, 'files' | 'history' | 'outline'>): Int32Array[] {
    const { question } = this.input;
    const parts: PromptParts = { ...chosen, attachments: this.attachments, question };
    return this.input.frame.wrap(orderMessages(parts, (text) => this.encode(text)));
  }

  tokens(chosen: Pick<PromptParts, 'files' | 'history' | 'outline'>): number {
    return countTokens(this.pieces(chosen));
  }

  /** What these turns add to a prompt, with the template's text around them. */
  historyTokens(history: readonly Turn[]): number {
    if (history.length === 0) return 0;
    const none = { files: [], outline: '' };
    return this.tokens({ ...none, history }) - this.tokens({ ...none, history: [] });
  }

  /** The newest turns that fit, starting with one of the user. */
  historyWithin(room: number): readonly Turn[] {
    const all = this.input.history;
    let kept: readonly Turn[] = [];
    for (let start = all.length - 1; start >= 0; start--) {
      if (all[start]?.role !== 'user') continue;
      const turns = all.slice(start);
      if (this.historyTokens(turns) > room) break;
      kept = turns;
    }
    return kept;
  }

  private encode(text: string): Int32Array {
    const known = this.encoded.get(text);
    if (known) return known;
    const ids = this.input.encode(text);
    this.encoded.set(text, ids);
    return ids;
  }
}

function selectionText({ path, startLine, endLine, text }: Selection): string {
  const fence = fileFence(path, text, { start: startLine, end: endLine });
  return `${fence.open}${text}${fence.close}\n`;
}

function attachedFilesText(paths: readonly string[]): string[] {
  return paths.length === 0 ? [] : [`The question is about: ${paths.join(', ')}\n\n`];
}

function entryOf({ path, ids }: FileBlock, input: PackInput, all: boolean): IncludedFile {
  const attached = input.attachedPaths.includes(path);
  return { path, tokens: ids.length, reason: attached ? 'attached' : all ? 'all' : 'ranked' };
}

function selectionEntries(input: PackInput): IncludedFile[] {
  return input.selections.map((selection) => ({
    path: selection.path,
    tokens: input.encode(selectionText(selection)).length,
    reason: 'attached',
  }));
}

function tooLong(input: PackInput, fixedTokens: number): LongviewError {
  const questionTokens = input.encode(input.question).length;
  const attachmentTokens = selectionEntries(input).reduce((sum, entry) => sum + entry.tokens, 0);
  const attached = attachmentTokens > 0 ? ` and attachments of ${attachmentTokens}` : '';
  return new LongviewError(
    'promptTooLong',
    `The question of ${questionTokens} tokens${attached} needs a prompt of ${fixedTokens} tokens; ` +
      `${input.budgetTokens} fit.`,
    attachmentTokens > questionTokens
      ? 'Attach less text, or raise the context size in the settings.'
      : 'Shorten the question, or raise the context size in the settings.',
    { questionTokens, attachmentTokens, promptTokens: fixedTokens, budgetTokens: input.budgetTokens },
  );
}

function attachmentTooLong(path: string, fileTokens: number, roomTokens: number): LongviewError {
  return new LongviewError(
    'promptTooLong',
    `The attached file ${path} takes ${fileTokens} tokens; with the rest of the prompt, there is room for ${roomTokens}.`,
    'Attach a selection of the file instead, or raise the context size in the settings.',
    { path, fileTokens, roomTokens },
  );
}
