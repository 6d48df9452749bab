import { type AttentionPlan, attentionKey, reusableTokens, sparseTokensOf } from '../attention-plan';
import type { Sequence } from '../sequence';

/** A prompt as the cache is asked for it. */
export interface PlannedPrompt {
  /** Names the prompt for whoever asked, who can then say what it was that changed. */
  id: number;
  tokens: Int32Array;
  attention: AttentionPlan;
}

/** A sequence on the device, with how its prompt was read. */
export interface HeldPrompt {
  sequence: Sequence;
  /** The prompt that it was last used for. */
  promptId: number;
  attention: AttentionPlan;
  /** Leading tokens that ran sparse. */
  sparseTokens: number;
}

/** What a held prompt has of another one. */
export interface Match {
  held: HeldPrompt;
  /** Leading tokens that are the same. */
  sharedTokens: number;
  /** Of those, the tokens whose KV may be used. */
  hitTokens: number;
}

/** The prompts on the device, the one used last at the end. */
export class HeldPrompts {
  private prompts: HeldPrompt[] = [];

  get all(): readonly HeldPrompt[] {
    return this.prompts;
  }

  /** The held prompt that saves most of `prompt`; undefined when none shares a token with it. */
  best(prompt: PlannedPrompt): Match | undefined {
    let best: Match | undefined;
    for (const held of this.prompts) {
      const match = matchOf(held, prompt);
      const isBetter =
        !best ||
        match.hitTokens > best.hitTokens ||
        (match.hitTokens === best.hitTokens && match.sharedTokens >= best.sharedTokens);
      if (match.sharedTokens > 0 && isBetter) best = match;
    }
    return best;
  }

  /** A held prompt that starts with all of `prompt`. */
  covering({ tokens, attention }: PlannedPrompt): HeldPrompt | undefined {
    return this.prompts.find(
      (held) =>
        attentionKey(held.attention) === attentionKey(attention) &&
        held.sequence.sharedWith(tokens) === tokens.length,
    );
  }

  /** Takes a sequence as the one used last, now for `prompt`. */
  hold(sequence: Sequence, prompt: PlannedPrompt): HeldPrompt {
    this.release(sequence);
    const held: HeldPrompt = {
      sequence,
      promptId: prompt.id,
      attention: prompt.attention,
      sparseTokens: sparseTokensOf(prompt.attention, prompt.tokens.length),
    };
    this.prompts.push(held);
    return held;
  }

  release(sequence: Sequence): void {
    this.prompts = this.prompts.filter((held) => held.sequence !== sequence);
  }

  /** Tokens of memory that the others than `except` take at most, in whole blocks. */
  tokensBeside(except: Sequence | undefined, blockTokens: number): number {
    return this.prompts
      .filter(({ sequence }) => sequence !== except)
      .reduce((sum, { sequence }) => sum + inBlocks(sequence.lengthTokens, blockTokens), 0);
  }

  /** The one that was not used for longest, other than `except`. */
  oldest(except: Sequence | undefined): HeldPrompt | undefined {
    return this.prompts.find(({ sequence }) => sequence !== except);
  }
}

/** Leading tokens that another prompt could reuse at most. */
export function reusableOf({ sequence, attention, sparseTokens }: HeldPrompt): number {
  return attention.kind === 'dense' ? sequence.lengthTokens : Math.min(sparseTokens, sequence.lengthTokens);
}

export function inBlocks(tokens: number, blockTokens: number): number {
  return Math.ceil(tokens / blockTokens) * blockTokens;
}

function matchOf(held: HeldPrompt, { tokens, attention }: PlannedPrompt): Match {
  const sharedTokens = held.sequence.sharedWith(tokens);
  const sameAttention = attentionKey(held.attention) === attentionKey(attention);
  const hitTokens = sameAttention
    ? reusableTokens(attention, {
        sharedTokens,
        keptSparseTokens: held.sparseTokens,
        promptTokens: tokens.length,
      })
    : 0;
  return { held, sharedTokens, hitTokens };
}
