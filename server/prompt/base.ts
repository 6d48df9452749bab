import type { ExcludedFile } from '../../protocol';
import { throwIfCancelled } from '../errors';
import type { Detail, FileBlock } from './file-block';
import { type Candidate, type Filled, fillByValue } from './fill';
import { orderFiles } from './order';
import { outlineWithin } from './outline';

/** The part of a prompt that does not depend on the question. */
export interface Base {
  /** True when every usable file is there. */
  all: boolean;
  outline: string;
  /** False when the question left less room than usual: then it is no measure for the next one. */
  isUsual: boolean;
  /** In the order of the prompt. */
  files: FileBlock[];
  /** Tokens of files and outline. */
  tokens: number;
  /** Files that turned out to be unusable. */
  lost: ExcludedFile[];
  /** Pinned files that are not there whole. */
  pinsWithoutRoom: string[];
}

export interface BaseInput {
  budgetTokens: number;
  /** Files that are known to hold text. */
  usablePaths: readonly string[];
  /** Of these, what the user wants whole whatever is asked; in path order. */
  pinnedPaths: readonly string[];
  /** Usable paths, the most telling first, whatever the question is; asked for when not everything fits. */
  rankBase: () => readonly Candidate[];
  /** Files of the base before this one: they stay as long as there is room, so that its tokens stay. */
  earlierBase: ReadonlyMap<string, Detail>;
  /** @param detail `full` unless it is given */
  loadFile: (path: string, detail?: Detail) => Promise<FileBlock | ExcludedFile>;
  encode: (text: string) => Int32Array;
  signal: AbortSignal;
}

/** Of the budget: all files are the base up to here; the rest is for questions and earlier turns. */
const ALL_SHARE = 0.9;
/**
 * Of the budget, when not everything fits: the base is filled up to the first share, and keeps the files that it
 * had up to the second, so that a file that grows a little pushes none out.
 */
const FILL_SHARE = 0.75;
const KEEP_SHARE = 0.8;
/** Of the budget, when not everything fits: what pinned files may take, before all others. */
const PINNED_SHARE = 0.9;
/** A folder with thousands of files may be pinned: after so many that do not fit, the others hardly do. */
const MOST_MISSES = 24;
/** With less of the budget left, the rest of a large repository is not read for a file that might fit. */
const NEGLIGIBLE_SHARE = 0.01;

/**
 * Chooses the base by the budget and the repository alone. `fixedTokens` are those of the instructions and the
 * template; `mostTokens` is the room that this question leaves, which only counts where it is less than the rest.
 *
 * @throws CancelledError
 */
export async function chooseBase(
  input: BaseInput,
  fixedTokens: number,
  mostTokens: number,
  without: ReadonlySet<string> = new Set(),
): Promise<Base> {
  const usual = (share: number): number => input.budgetTokens * share - fixedTokens;
  const room = (share: number): number => Math.min(usual(share), mostTokens);
  const isUsual = mostTokens >= usual(KEEP_SHARE) && without.size === 0;
  const all = without.size === 0 && (await takeAll(input, room(ALL_SHARE)));
  const rooms = { fill: room(FILL_SHARE), keep: room(KEEP_SHARE), pinned: room(PINNED_SHARE) };
  const base = all || (await takeBest(input, rooms, without));
  return { ...base, isUsual };
}

type Choice = Omit<Base, 'isUsual'>;

/** All files, or false as soon as they are too many. */
async function takeAll(input: BaseInput, room: number): Promise<Choice | false> {
  const chosen = new Chosen(input, '', 0);
  for (const path of input.usablePaths) {
    await chosen.take(path);
    if (chosen.tokens > room) return false;
  }
  return chosen.base(true);
}

/** Tokens that each kind of file may fill up to. */
interface Rooms {
  fill: number;
  keep: number;
  pinned: number;
}

async function takeBest(input: BaseInput, rooms: Rooms, without: ReadonlySet<string>): Promise<Choice> {
  const { earlierBase, budgetTokens } = input;
  const outline = outlineWithin(input.usablePaths, rooms.fill, input.encode);
  const chosen = new Chosen(input, outline, outline === '' ? 0 : input.encode(outline).length);
  await chosen.takePinned(
    input.pinnedPaths.filter((path) => !without.has(path)),
    rooms.pinned,
  );
  const pinned = new Set(input.pinnedPaths);
  const candidates = input.rankBase().filter(({ path }) => !without.has(path) && !pinned.has(path));
  for (const { path } of candidates) {
    const detail = earlierBase.get(path);
    if (detail) await chosen.take(path, rooms.keep, detail);
  }
  const filled = await fillByValue({
    candidates: candidates.filter(({ path }) => !earlierBase.has(path)),
    roomTokens: rooms.fill - chosen.tokens,
    leastTokens: budgetTokens * NEGLIGIBLE_SHARE,
    load: (path, detail) => {
      throwIfCancelled(input.signal);
      return input.loadFile(path, detail);
    },
  });
  chosen.add(filled);
  return chosen.base(false);
}

class Chosen {
  private readonly files: FileBlock[] = [];
  private readonly lost: ExcludedFile[] = [];
  private readonly pinsWithoutRoom: string[] = [];

  constructor(
    private readonly input: BaseInput,
    private readonly outline: string,
    public tokens: number,
  ) {}

  /** Whole as long as they fit; of the others, the signatures. */
  async takePinned(paths: readonly string[], room: number): Promise<void> {
    const tooLong = await this.takeEach(paths, room, 'full');
    await this.takeEach(tooLong, room, 'signatures');
    this.pinsWithoutRoom.push(...tooLong);
  }

  /** Adds the files that fit and returns the others. After many that do not fit, no more are read. */
  private async takeEach(paths: readonly string[], room: number, detail: Detail): Promise<string[]> {
    const tooLong: string[] = [];
    for (const path of paths) {
      if (tooLong.length >= MOST_MISSES || !(await this.take(path, room, detail))) tooLong.push(path);
    }
    return tooLong;
  }

  /** Adds the file unless it would exceed `room`, or notes that it is lost. False where there is no room. */
  async take(path: string, room = Number.POSITIVE_INFINITY, detail: Detail = 'full'): Promise<boolean> {
    throwIfCancelled(this.input.signal);
    const block = await this.input.loadFile(path, detail);
    if ('reason' in block) {
      this.lost.push(block);
      return true;
    }
    if (this.tokens + block.ids.length > room) return false;
    this.files.push(block);
    this.tokens += block.ids.length;
    return true;
  }

  add({ files, tokens, lost }: Filled): void {
    this.files.push(...files);
    this.tokens += tokens;
    this.lost.push(...lost);
  }

  base(all: boolean): Choice {
    const { outline, tokens, lost, pinsWithoutRoom } = this;
    return { all, outline, files: orderFiles(this.files), tokens, lost, pinsWithoutRoom };
  }
}
