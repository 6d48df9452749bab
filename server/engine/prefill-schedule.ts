/** One prefill call: prompt tokens from `start` up to, not including, `end`. */
export interface PrefillChunk {
  start: number;
  end: number;
}

/**
 * The prefill calls that bring a sequence which holds `cachedTokens` of a prompt up to the whole prompt: full
 * chunks from the prefix hit on, the rest last.
 */
export function planPrefill(promptTokens: number, cachedTokens: number, chunkTokens: number): PrefillChunk[] {
  if (chunkTokens < 1) throw new RangeError(`a prefill chunk needs at least one token, not ${chunkTokens}`);
  const chunks: PrefillChunk[] = [];
  for (let start = cachedTokens; start < promptTokens; start += chunkTokens)
    chunks.push({ start, end: Math.min(start + chunkTokens, promptTokens) });
  return chunks;
}

/** Weight of the newest chunk in the pace: attention makes later chunks slower, so the newest counts most. */
const NEWEST_WEIGHT = 0.6;

/** How long a prompt token takes on this device: the ground for the time left. */
export class PrefillPace {
  private msPerToken: number | undefined;

  observe(tokens: number, ms: number): void {
    const newest = ms / tokens;
    this.msPerToken =
      this.msPerToken === undefined ? newest : NEWEST_WEIGHT * newest + (1 - NEWEST_WEIGHT) * this.msPerToken;
  }

  /** Time that `tokens` more will take, in ms; undefined before anything was observed. */
  etaMs(tokens: number): number | undefined {
    return this.msPerToken === undefined ? undefined : this.msPerToken * tokens;
  }
}
