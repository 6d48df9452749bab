import type { SamplingOptions } from '../../../protocol';
import { LongviewError } from '../../errors';
import type { TokenId } from '../../tokenizer/tokenizer';
import { type RandomSource, seededRandom } from './random';
import { TokenHeap } from './token-heap';

/**
 * Chooses tokens from logits: greedy at temperature 0, else by temperature, then top-k, then top-p over what
 * top-k leaves. Stop sequences are matched on text, elsewhere.
 */
export class Sampler {
  private readonly random: RandomSource;
  /** Probabilities relative to the likeliest token; kept between calls, as is the heap's room. */
  private weights = new Float64Array(0);
  private heapIds = new Uint32Array(0);

  /**
   * @param firstUnusedToken ids from here on are never chosen
   * @param freshSeed seeds the choice when the options name no seed
   */
  constructor(
    private readonly options: SamplingOptions,
    private readonly firstUnusedToken: TokenId,
    freshSeed: () => number,
  ) {
    this.random = seededRandom(options.seed ?? freshSeed());
  }

  /**
   * @param logits one per vocabulary id
   * @throws LongviewError `engineFailed` when a logit is NaN or +Infinity, or none is finite
   */
  sample(logits: Float32Array): TokenId {
    const usable = logits.subarray(0, this.firstUnusedToken);
    const best = likeliest(usable);
    if (this.options.temperature <= 0) return best;
    const total = this.weigh(usable, usable[best] ?? 0);
    const { topK, topP } = this.options;
    const limitedToK = topK > 0 && topK < usable.length;
    if (!limitedToK && topP >= 1) return this.draw(everyId(usable.length), total, best);
    const ranked = limitedToK ? take(topK, this.ranked(usable.length)) : this.ranked(usable.length);
    const pool = Array.isArray(ranked) ? this.weightOf(ranked) : total;
    const nucleus = this.nucleus(ranked, topP * pool);
    return this.draw(nucleus, this.weightOf(nucleus), best);
  }

  /** Fills `weights`; returns their sum. */
  private weigh(logits: Float32Array, maximum: number): number {
    if (this.weights.length < logits.length) this.weights = new Float64Array(logits.length);
    let total = 0;
    for (let id = 0; id < logits.length; id++) {
      const weight = Math.exp(((logits[id] ?? -Infinity) - maximum) / this.options.temperature);
      this.weights[id] = weight;
      total += weight;
    }
    return total;
  }

  /** Ids from the likeliest on, found as they are asked for. */
  private ranked(count: number): Iterable<TokenId> {
    if (this.heapIds.length < count) this.heapIds = new Uint32Array(count);
    return new TokenHeap(this.heapIds.subarray(0, count), this.weights);
  }

  /** The fewest ids from the front of `ranked` that weigh `enough`; at least one. */
  private nucleus(ranked: Iterable<TokenId>, enough: number): TokenId[] {
    const chosen: TokenId[] = [];
    let weight = 0;
    for (const id of ranked) {
      chosen.push(id);
      weight += this.weights[id] ?? 0;
      if (weight >= enough) break;
    }
    return chosen;
  }

  private weightOf(ids: readonly TokenId[]): number {
    return ids.reduce((sum, id) => sum + (this.weights[id] ?? 0), 0);
  }

  /** One of `ids` by its share of `total`; rounding may leave none, then the likeliest. */
  private draw(ids: Iterable<TokenId>, total: number, best: TokenId): TokenId {
    let left = this.random() * total;
    for (const id of ids) {
      const weight = this.weights[id] ?? 0;
      if (left < weight) return id;
      left -= weight;
    }
    return best;
  }
}

/** @throws LongviewError `engineFailed` when the logits are not those of a working model */
function likeliest(logits: Float32Array): TokenId {
  let best = -1;
  let maximum = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? Number.NaN;
    if (!(logit < Infinity)) throw unusableLogits(`the score of token ${id} is ${logit}`);
    if (logit > maximum) {
      maximum = logit;
      best = id;
    }
  }
  if (best < 0) throw unusableLogits('no token has a finite score');
  return best;
}

function unusableLogits(what: string): LongviewError {
  return new LongviewError(
    'engineFailed',
    `The model computed no usable answer: ${what}.`,
    'Download the model again, or choose another one.',
  );
}

function take(count: number, ids: Iterable<TokenId>): TokenId[] {
  const taken: TokenId[] = [];
  for (const id of ids) {
    taken.push(id);
    if (taken.length === count) break;
  }
  return taken;
}

function* everyId(count: number): Generator<TokenId> {
  for (let id = 0; id < count; id++) yield id;
}
