import type { RestoredKv, StoringBackend } from '../../backends/backend';
import { throwIfCancelled } from '../../errors';
import { attentionKey } from '../attention-plan';
import type { Sequence } from '../sequence';
import { chainOf } from './block-chain';
import type { ComputeCost } from './compute-cost';
import { type HeldPrompt, type PlannedPrompt, reusableOf } from './held-prompts';
import { RestoreChoice, type RestoreComparison } from './restore-choice';

/** Blocks of a prompt that are kept beside the device. */
export interface StoredBlocks {
  ids: string[];
  blockTokens: number;
}

/** What a restore came to. */
export interface Restored {
  source?: 'memory' | 'disk';
  isDamaged: boolean;
  /** Why not all of it was brought back, where computing the rest is sooner. */
  slower?: RestoreComparison;
}

export interface StoredPrefixesOptions {
  /** Everything of the load that KV depends on. */
  loadKey: string;
  blockTokens: number;
  cost: ComputeCost;
  /** Milliseconds of a steady clock. */
  now: () => number;
  log: (line: string) => void;
}

/** The prefixes that are kept beside the device, under one load of a model. */
export class StoredPrefixes {
  private canStore = true;

  constructor(
    private readonly backend: StoringBackend,
    private readonly options: StoredPrefixesOptions,
  ) {}

  /** The blocks of the first `tokens` tokens of a prompt that are kept. */
  async find(prompt: PlannedPrompt, tokens: number): Promise<StoredBlocks> {
    const { blockTokens } = this.options;
    const ids = this.idsOf(prompt, tokens);
    const count = ids.length === 0 ? 0 : await this.backend.countStoredKv(ids);
    await this.learnCost(prompt, ids[count - 1], count * blockTokens);
    return { ids: ids.slice(0, count), blockTokens };
  }

  /**
   * Appends the blocks behind those that the sequence holds already; ends early where one is damaged or gone, or where
   * computing the rest turns out to be sooner.
   * @throws CancelledError between two blocks
   */
  async restore(
    sequence: Sequence,
    prompt: PlannedPrompt,
    { ids, blockTokens }: StoredBlocks,
    signal: AbortSignal,
  ): Promise<Restored> {
    const { cost, now } = this.options;
    const choice = new RestoreChoice(cost, attentionKey(prompt.attention), blockTokens);
    const endToken = ids.length * blockTokens;
    let last: RestoredKv | undefined;
    for (let index = sequence.lengthTokens / blockTokens; index < ids.length; index++) {
      throwIfCancelled(signal);
      const startToken = index * blockTokens;
      const slower = choice.againstRestoring(startToken, endToken);
      if (slower) return { ...sourceOf(last), isDamaged: false, slower };
      const startMs = now();
      const [block = '', ...following] = ids.slice(index, index + 8);
      const request = { sequence: sequence.id, block, following, startToken, tokens: blockTokens };
      const restored = await this.backend.restoreKv(request);
      if ('missing' in restored) return { ...sourceOf(last), isDamaged: restored.missing === 'damaged' };
      sequence.append(prompt.tokens.subarray(startToken, startToken + blockTokens));
      choice.noteBlock(now() - startMs);
      last = restored;
    }
    return { ...sourceOf(last), isDamaged: false };
  }

  /** Keeps the whole blocks of a prompt that are not kept yet. @throws CancelledError between two blocks */
  async store(held: HeldPrompt, prompt: PlannedPrompt, signal: AbortSignal): Promise<void> {
    const { blockTokens, cost, log } = this.options;
    const ids = this.idsOf(prompt, Math.min(prompt.tokens.length, reusableOf(held)));
    if (ids.length === 0 || !this.canStore) return;
    for (let index = await this.backend.countStoredKv(ids); index < ids.length; index++) {
      throwIfCancelled(signal);
      const block = { block: ids[index] ?? '', startToken: index * blockTokens, tokens: blockTokens };
      const computeMs = cost.estimateMs(attentionKey(prompt.attention), 0, (index + 1) * blockTokens);
      const { diskFailure } = await this.backend.storeKv({
        sequence: held.sequence.id,
        ...block,
        ...(computeMs !== undefined && { computeMs }),
      });
      if (diskFailure === undefined) continue;
      log(`the prefix cache is not written to disk any more: ${diskFailure}`);
      this.canStore = false;
      return;
    }
  }

  /** Before this process has computed anything itself, whoever computed what is kept tells how long it took. */
  private async learnCost(
    { attention }: PlannedPrompt,
    lastBlock: string | undefined,
    tokens: number,
  ): Promise<void> {
    const { cost } = this.options;
    const key = attentionKey(attention);
    if (lastBlock === undefined || cost.estimateMs(key, 0, tokens) !== undefined) return;
    const computeMs = await this.backend.storedKvCost(lastBlock);
    if (computeMs !== undefined) cost.observe(key, 0, tokens, computeMs);
  }

  private idsOf({ tokens, attention }: PlannedPrompt, count: number): string[] {
    const { blockTokens, loadKey } = this.options;
    const whole = count - (count % blockTokens);
    return chainOf(`${loadKey} ${attentionKey(attention)}`, tokens.subarray(0, whole), blockTokens);
  }
}

function sourceOf(restored: RestoredKv | undefined): Pick<Restored, 'source'> {
  return restored && 'source' in restored ? { source: restored.source } : {};
}
