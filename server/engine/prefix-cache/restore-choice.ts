import type { ComputeCost } from './compute-cost';

/** Blocks that are brought back before their pace is trusted: the first ones also open files. */
const PROBE_BLOCKS = 8;

/** Why the rest of a prompt is computed although it is kept. Estimates from what was measured here, in ms. */
export interface RestoreComparison {
  restoreMs: number;
  computeMs: number;
}

/**
 * Decides, while the blocks of a prompt are brought back, whether going on is sooner than computing the rest. On a CPU
 * it nearly always is; on a fast GPU a disk may be what is slow. The first blocks are the probe, every time anew: a
 * file that is in the system's memory comes ten times as fast as one that is not.
 */
export class RestoreChoice {
  /** Of the blocks brought back last, in ms. */
  private readonly recent: number[] = [];

  constructor(
    private readonly cost: ComputeCost,
    private readonly attention: string,
    private readonly blockTokens: number,
  ) {}

  /** @param ms from asking for a block until the device had it */
  noteBlock(ms: number): void {
    this.recent.push(ms);
    if (this.recent.length > PROBE_BLOCKS) this.recent.shift();
  }

  /** Why the tokens between are better computed; undefined: bring them back. Without a measure of either, so, too. */
  againstRestoring(startToken: number, endToken: number): RestoreComparison | undefined {
    if (this.recent.length < PROBE_BLOCKS) return undefined;
    const computeMs = this.cost.estimateMs(this.attention, startToken, endToken);
    if (computeMs === undefined) return undefined;
    const blockMs = this.recent.reduce((sum, ms) => sum + ms, 0) / this.recent.length;
    const restoreMs = (blockMs * (endToken - startToken)) / this.blockTokens;
    return restoreMs > computeMs ? { restoreMs, computeMs } : undefined;
  }
}
