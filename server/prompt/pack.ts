import type { ExcludedFile, IncludedExcerpt, IncludedFile, InclusionReport } from '../../protocol';
import { LongviewError, throwIfCancelled } from '../errors';
import { type Base, type BaseInput, chooseBase } from './base';
import type { Detail, FileBlock } from './file-block';
import { type Candidate, fillByValue } from './fill';
import type { KeptHistory } from './history';
import { type FoundSecrets, type InclusionFacts, reportInclusion } from './inclusion';
import { excerptText, Layout, type LayoutInput, selectionText } from './layout';
import { type Changes, NO_CHANGES } from './order';
import type { PackedText } from './packed-text';
import { countTokens, idsOf, type PromptSpan, spansOf } from './parts';
import { NO_PATHS, type PathList, pathsWithin } from './path-list';
import { heldTokensOf, supersede } from './superseding';

export interface PackInput extends BaseInput, LayoutInput {
  /** Files in the manifest, usable or not. */
  totalFiles: number;
  unusable: readonly ExcludedFile[];
  /** Files that the user attached, in folders or by themselves. */
  attachedPaths: readonly string[];
  /** Usable paths, best for the question first; asked for only when not everything fits. */
  rank: () => readonly Candidate[];
  /** @param forQuestion signatures are those that fit the question best */
  loadFile: (path: string, detail?: Detail, forQuestion?: boolean) => Promise<FileBlock | ExcludedFile>;
  /** What was found in files by the time that they are loaded. */
  secrets: FoundSecrets;
  /** Bases of earlier prompts. */
  earlierBases: readonly Base[];
  /** Tokens of the prompts whose KV the device holds. */
  held: readonly Int32Array[];
}

export interface PackedResult {
  tokenIds: Int32Array;
  spans: PromptSpan[];
  inclusion: InclusionReport;
  /** What the report is made of. */
  facts: InclusionFacts;
  /** What the model sees of files, for citations. */
  packed: PackedText[];
  /** How things are now. */
  base: Base;
  /** The base that the prompt starts with: `base`, or an earlier one that newer versions of files supersede. */
  usedBase: Base;
}

/** When not everything fits: of what the base leaves, earlier turns may take this share from ranked files. */
const HISTORY_SHARE = 0.5;
/** With less of the budget left, no more files are read to see whether they fit. */
const NEGLIGIBLE_SHARE = 0.01;
/** Attached files are loaded to say how much they take, up to so many times the room. */
const FAR_TOO_MUCH = 4;
/** An earlier base is used only when that spares this share of the tokens to compute, and so many of them. */
const SPARED_SHARE = 0.5;
const SPARED_TOKENS = 256;

/**
 * Chooses what goes into the prompt and makes its token ids: the base, which is the same for every question, then
 * earlier turns and, when the base is not the whole repository, the files that rank best for the question, each
 * with its signatures or whole, by what that is worth for its tokens, and the paths of others. Where files were edited since an earlier base was
 * computed, and that base with their newer versions behind it is much less to compute, it is used instead. The
 * result never exceeds the budget, because every count is of the ids sent.
 *
 * @throws LongviewError `promptTooLong` when question and attachments alone exceed the budget
 * @throws CancelledError
 */
export async function packPrompt(input: PackInput): Promise<PackedResult> {
  const layout = new Layout(input);
  const { ownTokens } = layout;
  const room = input.budgetTokens - ownTokens;
  if (room < 0) throw tooLong(input, ownTokens);

  const { base, attached } = await baseWithAttached(input, layout, room);
  const canonical = await complete(input, layout, { base, changes: NO_CHANGES, attached }, room);
  if (!canonical) throw new Error(`a base of ${base.tokens} tokens was chosen for a room of ${room}`);
  const cheaper = await cheaperPrompt(input, layout, { base, attached, canonical }, room);
  return resultOf(input, base, cheaper ?? canonical);
}

/** What a prompt starts with, and files that belong to this question. */
interface Stem {
  base: Base;
  changes: Changes;
  attached: readonly FileBlock[];
}

interface Complete extends Stem {
  tokenIds: Int32Array;
  spans: PromptSpan[];
  /** Attached files and those that rank best, the best one last. */
  questionFiles: FileBlock[];
  paths: PathList;
  history: KeptHistory;
  /** Files for the question that turned out to be unusable. */
  lost: readonly ExcludedFile[];
}

/** A whole prompt on this stem; undefined when the stem alone is too long. */
async function complete(
  input: PackInput,
  layout: Layout,
  stem: Stem,
  room: number,
): Promise<Complete | undefined> {
  const { base, changes, attached } = stem;
  const forFiles = room - base.tokens - layout.changeTokens(changes) - countTokens(attached);
  if (forFiles < 0) return undefined;
  const reserved = base.all ? forFiles : forFiles * HISTORY_SHARE;
  const ranked = base.all
    ? { files: [], paths: NO_PATHS, tokens: 0, lost: [] }
    : await takeRanked(input, stem, forFiles - layout.historyWithin(reserved).tokens);
  const history = layout.historyWithin(forFiles - ranked.tokens);
  const questionFiles = [...ranked.files.reverse(), ...[...attached].reverse()];
  const parts = layout.parts({
    outline: base.outline,
    base: base.files,
    changes,
    history: history.messages,
    ranked: questionFiles,
    paths: ranked.paths,
  });
  return {
    ...stem,
    tokenIds: idsOf(parts),
    spans: spansOf(parts),
    questionFiles,
    paths: ranked.paths,
    history,
    lost: ranked.lost,
  };
}

/** The prompt on an earlier base that is there, where that spares much; the least to compute of all. */
async function cheaperPrompt(
  input: PackInput,
  layout: Layout,
  { base, attached, canonical }: { base: Base; attached: readonly FileBlock[]; canonical: Complete },
  room: number,
): Promise<Complete | undefined> {
  const toCompute = ({ tokenIds }: Complete): number => tokenIds.length - heldTokensOf(tokenIds, input.held);
  const canonicalTokens = toCompute(canonical);
  let least = Math.min(canonicalTokens * SPARED_SHARE, canonicalTokens - SPARED_TOKENS);
  let best: Complete | undefined;
  if (least <= 0 || input.held.length === 0) return undefined;
  for (const earlier of input.earlierBases) {
    const superseding = await supersede(earlier, base, input);
    if (!superseding) continue;
    const { changes, added } = superseding;
    const stem = { base: earlier, changes, attached: [...added, ...attached] };
    const prompt = await complete(input, layout, stem, room);
    if (!prompt || toCompute(prompt) > least) continue;
    least = toCompute(prompt);
    best = prompt;
  }
  return best;
}

function resultOf(input: PackInput, base: Base, prompt: Complete): PackedResult {
  const { tokenIds, spans, changes, questionFiles } = prompt;
  if (tokenIds.length > input.budgetTokens) {
    throw new Error(`packed ${tokenIds.length} tokens into a budget of ${input.budgetTokens}`);
  }
  const outdated = new Set([...changes.removed, ...changes.newer.map(({ path }) => path)]);
  const current = prompt.base.files.filter(({ path }) => !outdated.has(path));
  const facts = factsOf(input, base, prompt);
  return {
    tokenIds,
    spans,
    base,
    usedBase: prompt.base,
    inclusion: reportInclusion(facts),
    facts,
    packed: packedTexts(input, [...current, ...changes.newer, ...questionFiles]),
  };
}

/** The base, and the attached files that are not in it; it shrinks only where they would not fit otherwise. */
async function baseWithAttached(input: PackInput, layout: Layout, room: number) {
  const { fixedTokens } = layout;
  const base = await chooseBase(input, fixedTokens, room);
  const inBase = new Set(wholeFiles(base.files));
  const missing = input.attachedPaths.filter((path) => !inBase.has(path));
  const attached = await load(input, missing, room);
  if (base.tokens + countTokens(attached) <= room) return { base, attached };
  const all = await load(input, input.attachedPaths, room);
  const left = room - countTokens(all);
  if (left < 0) throw attachmentTooLong(all, room);
  return {
    base: await chooseBase(input, fixedTokens, left, new Set(input.attachedPaths)),
    attached: all,
  };
}

/** @throws LongviewError `promptTooLong` as soon as they are far too many: a folder may hold a whole disk */
async function load(input: PackInput, paths: readonly string[], roomTokens: number): Promise<FileBlock[]> {
  const blocks: FileBlock[] = [];
  let tokens = 0;
  for (const path of paths) {
    throwIfCancelled(input.signal);
    const block = await input.loadFile(path);
    if ('reason' in block) continue;
    blocks.push(block);
    tokens += block.ids.length;
    if (tokens > roomTokens * FAR_TOO_MUCH) throw attachmentTooLong(blocks, roomTokens, 'more than ');
  }
  return blocks;
}

/** The files that rank best among those that are not there yet. */
async function takeRanked(input: PackInput, { base, attached }: Stem, room: number) {
  const whole = new Set(wholeFiles([...base.files, ...attached]));
  const shown = new Set(base.files.map(({ path }) => path));
  const ranked = input.rank().filter(({ path }) => !whole.has(path));
  const filled = await fillByValue({
    candidates: ranked.map((each) => (shown.has(each.path) ? { ...each, hasSignatures: true } : each)),
    roomTokens: room,
    leastTokens: input.budgetTokens * NEGLIGIBLE_SHARE,
    load: (path, detail) => {
      throwIfCancelled(input.signal);
      return input.loadFile(path, detail, true);
    },
  });
  const there = new Set([...shown, ...filled.files.map(({ path }) => path)]);
  const lost = [...base.lost, ...filled.lost];
  const unshown = new Set([...there, ...lost.map(({ path }) => path)]);
  const others = ranked.map(({ path }) => path).filter((path) => !unshown.has(path));
  const paths = pathsWithin(others, room - filled.tokens, input.encode);
  const pathTokens = paths.pieces.reduce((sum, { length }) => sum + length, 0);
  return { files: filled.files, paths, tokens: filled.tokens + pathTokens, lost: filled.lost };
}

const wholeFiles = (files: readonly FileBlock[]): string[] =>
  files.filter(({ detail }) => detail === 'full').map(({ path }) => path);

function factsOf(input: PackInput, current: Base, prompt: Complete): InclusionFacts {
  const { base, changes, questionFiles, history, tokenIds } = prompt;
  const entry = entriesOf(input);
  const ofBase = base.all ? 'all' : 'base';
  return {
    totalFiles: input.totalFiles,
    included: [
      ...base.files.filter(({ path }) => !changes.removed.includes(path)).map(entry(ofBase)),
      ...changes.newer.map(entry(ofBase)),
      ...pathEntries(prompt.paths),
      ...questionFiles.map(entry(base.all ? 'all' : 'ranked')),
      ...selectionEntries(input),
    ],
    excerpts: excerptEntries(input),
    unusable: [...input.unusable, ...current.lost, ...prompt.lost],
    usablePaths: input.usablePaths,
    budgetTokens: input.budgetTokens,
    promptTokens: tokenIds.length,
    newerVersions: changes.newer.map(({ path }) => path),
    pinsWithoutRoom: current.pinsWithoutRoom,
    historyTokens: history.tokens,
    droppedTurns: history.droppedTurns,
    shortenedTurns: history.shortenedTurns,
    secrets: input.secrets,
  };
}

function pathEntries({ entries }: PathList): IncludedFile[] {
  return entries.map((entry) => ({ ...entry, reason: 'ranked', detail: 'path' }));
}

function packedTexts(input: PackInput, files: readonly FileBlock[]): PackedText[] {
  return [
    ...files.flatMap(({ path, passages }) => passages.map((passage) => ({ path, ...passage }))),
    ...input.selections.map(({ path, text, startLine }) => ({ path, text, firstLine: startLine })),
  ];
}

/** Makes the entry of a file; what the user chose goes before `reason`. */
function entriesOf({ attachedPaths, pinnedPaths }: PackInput) {
  const attached = new Set(attachedPaths);
  const pinned = new Set(pinnedPaths);
  return (reason: IncludedFile['reason']) =>
    ({ path, ids, detail }: FileBlock): IncludedFile => ({
      path,
      tokens: ids.length,
      reason: attached.has(path) ? 'attached' : pinned.has(path) ? 'pinned' : reason,
      ...(detail === 'signatures' && { detail }),
    });
}

function selectionEntries(input: PackInput): IncludedFile[] {
  return input.selections.map((selection) => ({
    path: selection.path,
    tokens: input.encode(selectionText(selection)).length,
    reason: 'attached',
  }));
}

function excerptEntries(input: PackInput): IncludedExcerpt[] {
  return input.excerpts.map((excerpt) => ({
    source: excerpt.source,
    label: excerpt.label,
    tokens: input.encode(excerptText(excerpt)).length,
  }));
}

function tooLong(input: PackInput, fixedTokens: number): LongviewError {
  const questionTokens = input.encode(input.question).length;
  const attached = [...selectionEntries(input), ...excerptEntries(input)];
  const attachmentTokens = attached.reduce((sum, entry) => sum + entry.tokens, 0);
  const withAttached = attachmentTokens > 0 ? ` and attachments of ${attachmentTokens}` : '';
  return new LongviewError(
    'promptTooLong',
    `The question of ${questionTokens} tokens${withAttached} needs a prompt of ${fixedTokens} tokens; ` +
      `${input.budgetTokens} fit.`,
    attachmentTokens > questionTokens
      ? 'Attach less text, or raise the context size in the settings.'
      : 'Shorten the question, or raise the context size in the settings.',
    { questionTokens, attachmentTokens, promptTokens: fixedTokens, budgetTokens: input.budgetTokens },
  );
}

function attachmentTooLong(files: readonly FileBlock[], roomTokens: number, least = ''): LongviewError {
  const fileTokens = countTokens(files);
  const paths = files.map(({ path }) => path);
  const subject = paths.length === 1 ? `file ${paths[0]} takes` : `files ${listed(paths)} take`;
  return new LongviewError(
    'promptTooLong',
    `The attached ${subject} ${least}${fileTokens} tokens; with the rest of the prompt, there is room for ${roomTokens}.`,
    'Attach a selection instead, or raise the context size in the settings.',
    { paths, fileTokens, roomTokens },
  );
}

const MOST_NAMED = 5;

function listed(paths: readonly string[]): string {
  const more = paths.length - MOST_NAMED;
  return paths.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
