import type { Backend, LoadedModel, OpenSequenceRequest } from '../../backends/backend';
import { attentionKey, reusableTokens, SELECTION_GRID_TOKENS } from '../attention-plan';
import { Sequence } from '../sequence';
import type { CacheReport, MissReason } from './cache-report';
import { EvictedPrompts } from './evicted-prompts';
import {
  type HeldPrompt,
  HeldPrompts,
  inBlocks,
  type Match,
  type PlannedPrompt,
  reusableOf,
} from './held-prompts';
import type { StoredBlocks, StoredPrefixes } from './stored-prefix';

/** Up to this many tokens at the end of a held prompt are given up rather than kept apart: an answer, say. */
const FORGETTABLE_TOKENS = 512;

/** A sequence that holds what could be reused of a prompt. */
export interface OpenedSequence {
  sequence: Sequence;
  cache: CacheReport;
}

/** A prompt with the memory that it will take. */
export interface WantedPrompt extends PlannedPrompt {
  /** With the longest answer. */
  totalTokens: number;
}

/**
 * The prompts whose KV is on the device under one load of a model. A new prompt goes on from the one that it shares
 * most with: in its place where little else is lost, beside it where the device has room. The least recently used
 * ones make room.
 */
export class PrefixCache {
  private readonly held = new HeldPrompts();
  private readonly evicted = new EvictedPrompts();
  private isFirst = true;

  /** @param stored what is kept beside the device; undefined: nothing */
  constructor(
    private readonly backend: Backend,
    private readonly model: LoadedModel,
    private readonly stored?: StoredPrefixes,
  ) {}

  /** Tokens of every prompt that is held, the one used last at the end. */
  get heldTokens(): Int32Array[] {
    return this.held.all.map(({ sequence }) => sequence.tokens.slice());
  }

  /** True when a prompt that is held starts with all of `prompt`. */
  covers(prompt: PlannedPrompt): boolean {
    return this.held.covering(prompt) !== undefined;
  }

  /**
   * A sequence that holds as much of `prompt` as there is; the caller computes the rest on it.
   * @throws CancelledError while blocks are brought back; the sequence keeps those that came
   */
  async open(prompt: WantedPrompt, start: OpenSequenceRequest, signal: AbortSignal): Promise<OpenedSequence> {
    const match = this.held.best(prompt);
    const kept = await this.keptBeside(prompt, match?.hitTokens ?? 0);
    const base = kept && match ? alignedTo(match, kept.blockTokens) : match;
    const reason = this.reasonFor(prompt, match);
    const sequence = await this.sequenceFor(prompt, base, start);
    this.isFirst = false;
    this.held.hold(sequence, prompt);
    const heldTokens = sequence.lengthTokens;
    const restored = kept && (await this.stored?.restore(sequence, prompt, kept, signal));
    return {
      sequence,
      cache: {
        cachedTokens: sequence.lengthTokens,
        source: restored?.source ?? (heldTokens > 0 ? 'device' : 'none'),
        reason: restored?.isDamaged ? 'damaged' : reason,
        ...(restored?.slower && { slower: restored.slower }),
        tokensReadAnew: reason === 'attention' ? (match?.sharedTokens ?? 0) : 0,
        ...(match && { comparedWith: match.held.promptId }),
      },
    };
  }

  /** Keeps a prompt that is held beside the device. @throws CancelledError between two blocks */
  async store(prompt: PlannedPrompt, signal: AbortSignal): Promise<void> {
    const held = this.held.covering(prompt);
    if (held) await this.stored?.store(held, prompt, signal);
  }

  /** The blocks kept beside the device, where they reach further than what is on it by a block at least. */
  private async keptBeside(prompt: WantedPrompt, hitTokens: number): Promise<StoredBlocks | undefined> {
    const reusable = reusableTokens(prompt.attention, {
      sharedTokens: prompt.tokens.length,
      keptSparseTokens: prompt.tokens.length,
      promptTokens: prompt.tokens.length,
    });
    if (!this.stored || reusable - hitTokens < this.model.kvBlockTokens) return undefined;
    const found = await this.stored.find(prompt, reusable);
    return found.ids.length * found.blockTokens - hitTokens >= found.blockTokens ? found : undefined;
  }

  /** Lets go of a sequence whose state on the device is not known any more. */
  async drop(sequence: Sequence): Promise<void> {
    this.held.release(sequence);
    await this.backend.closeSequence(sequence.id);
  }

  async dropAll(): Promise<void> {
    for (const { sequence } of [...this.held.all]) await this.drop(sequence);
  }

  private async sequenceFor(
    prompt: WantedPrompt,
    match: Match | undefined,
    start: OpenSequenceRequest,
  ): Promise<Sequence> {
    if (match && !this.canStayBeside(match, prompt)) return this.continueOn(match, prompt, start);
    await this.makeRoom(prompt.totalTokens, match?.held.sequence);
    const { contextTokens } = this.model;
    if (!match || match.hitTokens === 0) {
      return new Sequence(await this.backend.openSequence(start), contextTokens);
    }
    const { hitTokens, held } = match;
    const request = { ...start, sequence: held.sequence.id, lengthTokens: hitTokens };
    const fork = new Sequence(await this.backend.forkSequence(request), contextTokens);
    fork.append(prompt.tokens.subarray(0, hitTokens));
    return fork;
  }

  /** True when the matching prompt is worth keeping as it is and the new one fits beside it. */
  private canStayBeside({ held, hitTokens }: Match, prompt: WantedPrompt): boolean {
    const { lengthTokens } = held.sequence;
    if (hitTokens > 0 && reusableOf(held) - hitTokens <= FORGETTABLE_TOKENS) return false;
    const { kvPoolTokens, kvBlockTokens, maxSequences } = this.model;
    const both = inBlocks(lengthTokens, kvBlockTokens) + inBlocks(prompt.totalTokens, kvBlockTokens);
    return maxSequences > 1 && both <= kvPoolTokens;
  }

  private async continueOn(
    { held, hitTokens }: Match,
    prompt: WantedPrompt,
    start: OpenSequenceRequest,
  ): Promise<Sequence> {
    const { sequence } = held;
    await this.evictUntil(() => this.fits(prompt.totalTokens, sequence), sequence);
    if (reusableOf(held) - hitTokens > FORGETTABLE_TOKENS) this.noteEvicted(held);
    await this.backend.rewindSequence({ ...start, sequence: sequence.id, lengthTokens: hitTokens });
    sequence.rewind(hitTokens);
    return sequence;
  }

  /** Frees memory for `tokens` and a place for one more sequence; `except` stays. */
  private makeRoom(tokens: number, except: Sequence | undefined): Promise<void> {
    const hasPlace = (): boolean => this.held.all.length < this.model.maxSequences;
    return this.evictUntil(() => hasPlace() && this.fits(tokens, undefined), except);
  }

  private async evictUntil(isEnough: () => boolean, except: Sequence | undefined): Promise<void> {
    for (let oldest = this.held.oldest(except); oldest && !isEnough(); oldest = this.held.oldest(except)) {
      this.noteEvicted(oldest);
      await this.drop(oldest.sequence);
    }
  }

  private noteEvicted(held: HeldPrompt): void {
    const tokens = held.sequence.tokens.subarray(0, reusableOf(held));
    this.evicted.note(attentionKey(held.attention), tokens);
  }

  private fits(tokens: number, inPlaceOf: Sequence | undefined): boolean {
    const { kvPoolTokens, kvBlockTokens } = this.model;
    const beside = this.held.tokensBeside(inPlaceOf, kvBlockTokens);
    return beside + inBlocks(tokens, kvBlockTokens) <= kvPoolTokens;
  }

  private reasonFor(prompt: PlannedPrompt, match: Match | undefined): MissReason {
    if (this.isFirst) return 'loaded';
    const hitTokens = match?.hitTokens ?? 0;
    if (this.evicted.sharedTokens(attentionKey(prompt.attention), prompt.tokens) > hitTokens)
      return 'evicted';
    // What every prompt begins with is no loss worth telling.
    if (!match || match.sharedTokens < SELECTION_GRID_TOKENS) return 'changed';
    return attentionKey(match.held.attention) === attentionKey(prompt.attention) ? 'changed' : 'attention';
  }
}

/** What is brought back goes behind whole blocks. */
function alignedTo(match: Match, blockTokens: number): Match {
  return { ...match, hitTokens: match.hitTokens - (match.hitTokens % blockTokens) };
}
