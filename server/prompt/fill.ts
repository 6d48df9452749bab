import type { ExcludedFile } from '../../protocol';
import type { Detail, FileBlock } from './file-block';

/** A file that may go into the prompt, and how likely it is what the answer needs: shares of one, or of anything. */
export interface Candidate {
  path: string;
  likelihood: number;
  /** Its signatures are in the prompt already: only its whole text would add something. */
  hasSignatures?: boolean;
}

export interface FillInput {
  /** Likeliest first. */
  candidates: readonly Candidate[];
  roomTokens: number;
  /** With less room left, no more files are read to see whether they fit. */
  leastTokens: number;
  load: (path: string, detail: Detail) => Promise<FileBlock | ExcludedFile>;
}

export interface Filled {
  /** Likeliest first. */
  files: FileBlock[];
  tokens: number;
  lost: ExcludedFile[];
}

/** Of what the whole text of a file is worth, when it is what the answer needs. */
const SIGNATURES_VALUE = 0.35;
/** Signatures that are no shorter than this share of the file are not worth leaving the rest out. */
const WORTHWHILE_SHARE = 0.5;

/**
 * Fills the room by value for tokens: a file comes with its signatures, which are cheap, and the likeliest files with
 * all of their text, as soon as that gains more for its tokens than the signatures of yet another file.
 */
export async function fillByValue(input: FillInput): Promise<Filled> {
  const filling = new Filling(input);
  while (filling.room >= input.leastTokens && (await filling.step()));
  return filling.filled;
}

interface Option {
  at: number;
  block: FileBlock;
  addedTokens: number;
  /** For a token. */
  value: number;
}

class Filling {
  private readonly chosen = new Map<number, FileBlock>();
  private readonly lost: ExcludedFile[] = [];
  /** Candidates whose whole text was looked at before. */
  private readonly settled = new Set<number>();
  /** A file is asked for again each time that others are weighed against it. */
  private readonly loaded = new Map<string, FileBlock | ExcludedFile>();
  private tokens = 0;
  private nextNew = 0;

  constructor(private readonly input: FillInput) {}

  get room(): number {
    return this.input.roomTokens - this.tokens;
  }

  get filled(): Filled {
    const files = [...this.chosen].sort(([a], [b]) => a - b).map(([, block]) => block);
    return { files, tokens: this.tokens, lost: this.lost };
  }

  /** Takes what gains most for its tokens; false when nothing is left. */
  async step(): Promise<boolean> {
    const added = await this.newFile();
    const grown = await this.wholeText();
    const option = added && (!grown || added.value >= grown.value) ? added : grown;
    if (!option) return false;
    if (option === added) this.nextNew = option.at + 1;
    if (option.block.detail === 'full') this.settled.add(option.at);
    if (option.addedTokens <= this.room) {
      this.chosen.set(option.at, option.block);
      this.tokens += option.addedTokens;
    }
    return true;
  }

  /** The next file that is not there yet: by its signatures, or whole where it has none or is hardly longer. */
  private async newFile(): Promise<Option | undefined> {
    const { candidates } = this.input;
    for (; this.nextNew < candidates.length; this.nextNew++) {
      const candidate = candidates[this.nextNew];
      if (!candidate || candidate.hasSignatures) continue;
      const block = await this.briefest(candidate.path);
      if (!block || block.ids.length > this.room) continue;
      const worth = block.detail === 'full' ? 1 : SIGNATURES_VALUE;
      const addedTokens = block.ids.length;
      return { at: this.nextNew, block, addedTokens, value: (worth * candidate.likelihood) / addedTokens };
    }
    return undefined;
  }

  private async load(path: string, detail: Detail): Promise<FileBlock | ExcludedFile> {
    const key = `${detail} ${path}`;
    const known = this.loaded.get(key);
    if (known) return known;
    const block = await this.input.load(path, detail);
    this.loaded.set(key, block);
    return block;
  }

  private async briefest(path: string): Promise<FileBlock | undefined> {
    const block = await this.load(path, 'signatures');
    if (!('reason' in block)) return block;
    this.lost.push(block);
    return undefined;
  }

  /** All text of the likeliest file of which there are only signatures. */
  private async wholeText(): Promise<Option | undefined> {
    const { candidates } = this.input;
    for (const [at, candidate] of candidates.entries()) {
      const brief = this.chosen.get(at);
      if (this.settled.has(at) || brief?.detail === 'full') continue;
      if (!brief && !candidate.hasSignatures) {
        if (at >= this.nextNew) break;
        continue;
      }
      const block = await this.load(candidate.path, 'full');
      const addedTokens =
        'reason' in block ? Number.POSITIVE_INFINITY : block.ids.length - (brief?.ids.length ?? 0);
      if ('reason' in block || addedTokens > this.room) {
        this.settled.add(at);
        continue;
      }
      const gain = (1 - SIGNATURES_VALUE) * candidate.likelihood;
      return { at, block, addedTokens, value: gain / Math.max(1, addedTokens) };
    }
    return undefined;
  }
}

/** True when `signatures` are so much of the text that all of it may as well be shown. */
export const isHardlyShorter = (signatures: string, text: string): boolean =>
  signatures.length >= text.length * WORTHWHILE_SHARE;
