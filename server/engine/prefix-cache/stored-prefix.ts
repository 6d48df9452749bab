import type { RestoredKv, StoringBackend } from '../../backends/backend';
import { throwIfCancelled } from '../../errors';
import { attentionKey } from '../attention-plan';
import type { Sequence } from '../sequence';
import { chainOf } from './block-chain';
import { type HeldPrompt, type PlannedPrompt, reusableOf } from './held-prompts';

/** Blocks of a prompt that are kept beside the device. */
export interface StoredBlocks {
  ids: string[];
  blockTokens: number;
}

/** What a restore came to. */
export interface Restored {
  source?: 'memory' | 'disk';
  isDamaged: boolean;
}

/** The prefixes that are kept beside the device, under one load of a model. */
export class StoredPrefixes {
  private canStore = true;

  /** @param loadKey everything of the load that KV depends on */
  constructor(
    private readonly backend: StoringBackend,
    private readonly loadKey: string,
    private readonly blockTokens: number,
    private readonly log: (line: string) => void,
  ) {}

  /** The blocks of the first `tokens` tokens of a prompt that are kept. */
  async find(prompt: PlannedPrompt, tokens: number): Promise<StoredBlocks> {
    const { blockTokens } = this;
    const ids = this.idsOf(prompt, tokens);
    const count = ids.length === 0 ? 0 : await this.backend.countStoredKv(ids);
    return { ids: ids.slice(0, count), blockTokens };
  }

  /**
   * Appends the blocks behind those that the sequence holds already; ends early where one is damaged or gone.
   * @throws CancelledError between two blocks
   */
  async restore(
    sequence: Sequence,
    prompt: PlannedPrompt,
    { ids, blockTokens }: StoredBlocks,
    signal: AbortSignal,
  ): Promise<Restored> {
    let last: RestoredKv | undefined;
    for (let index = sequence.lengthTokens / blockTokens; index < ids.length; index++) {
      throwIfCancelled(signal);
      const startToken = index * blockTokens;
      const [block = '', ...following] = ids.slice(index, index + 8);
      const request = { sequence: sequence.id, block, following, startToken, tokens: blockTokens };
      const restored = await this.backend.restoreKv(request);
      if ('missing' in restored) return { ...sourceOf(last), isDamaged: restored.missing === 'damaged' };
      sequence.append(prompt.tokens.subarray(startToken, startToken + blockTokens));
      last = restored;
    }
    return { ...sourceOf(last), isDamaged: false };
  }

  /** Keeps the whole blocks of a prompt that are not kept yet. @throws CancelledError between two blocks */
  async store(held: HeldPrompt, prompt: PlannedPrompt, signal: AbortSignal): Promise<void> {
    const { blockTokens } = this;
    const ids = this.idsOf(prompt, Math.min(prompt.tokens.length, reusableOf(held)));
    if (ids.length === 0 || !this.canStore) return;
    for (let index = await this.backend.countStoredKv(ids); index < ids.length; index++) {
      throwIfCancelled(signal);
      const block = { block: ids[index] ?? '', startToken: index * blockTokens, tokens: blockTokens };
      const { diskFailure } = await this.backend.storeKv({ sequence: held.sequence.id, ...block });
      if (diskFailure === undefined) continue;
      this.log(`the prefix cache is not written to disk any more: ${diskFailure}`);
      this.canStore = false;
      return;
    }
  }

  private idsOf({ tokens, attention }: PlannedPrompt, count: number): string[] {
    const whole = count - (count % this.blockTokens);
    return chainOf(`${this.loadKey} ${attentionKey(attention)}`, tokens.subarray(0, whole), this.blockTokens);
  }
}

function sourceOf(restored: RestoredKv | undefined): Pick<Restored, 'source'> {
  return restored && 'source' in restored ? { source: restored.source } : {};
}
