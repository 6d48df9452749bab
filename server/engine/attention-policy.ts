import type { AttentionChoice, Quality } from '../../protocol';
import type { TileSelection } from '../backends/backend';
import { LongviewError } from '../errors';
import type { AttentionPlan } from './attention-plan';

/** What was asked for, by a setting or on the command line. */
export interface AttentionWish {
  attention: AttentionChoice;
  quality: Quality;
}

/**
 * Prompt length from which `auto` reads with SampleAttention. None: in bench/quality no selection kept 99% of dense
 * attention's answers. Where one does, this is the length from which it pays (`bench -- quality break-even`).
 */
const BREAK_EVEN_TOKENS = Number.POSITIVE_INFINITY;

/** Four query tiles: a question with its instruction, and the turns just before it. */
const DENSE_TAIL_TOKENS = 512;

/**
 * The selection of each quality class. Of what `bench/quality sweep` tried on the tuning set, `balanced` kept the most
 * answers at 32K and at 128K, and `fast` the most of what read 128K in less than a third of dense attention's time.
 */
export const SELECTIONS: Record<Quality, TileSelection> = {
  balanced: {
    strategy: 'tiles',
    sampledRows: 16,
    pooledKeys: 8,
    score: 'mean',
    alpha: 0.98,
    countForcedMass: true,
    sinkBlocks: 1,
    windowTokens: 512,
    minBlocks: 0,
    maxBlocks: 0,
    denseAbove: 1,
  },
  fast: {
    strategy: 'tiles',
    sampledRows: 16,
    pooledKeys: 8,
    score: 'maximum',
    alpha: 0.7,
    countForcedMass: false,
    sinkBlocks: 1,
    windowTokens: 512,
    minBlocks: 0,
    maxBlocks: 0,
    denseAbove: 1,
  },
};

/**
 * How a prompt of `promptTokens` tokens is read.
 *
 * @param sampleUnavailable why the loaded model cannot run SampleAttention; absent where it can
 * @throws LongviewError `attentionUnavailable` where it was asked for by name and cannot run
 */
export function planAttention(
  { attention, quality }: AttentionWish,
  promptTokens: number,
  sampleUnavailable: string | undefined,
  breakEvenTokens = BREAK_EVEN_TOKENS,
): AttentionPlan {
  if (attention === 'dense') return { kind: 'dense' };
  if (sampleUnavailable !== undefined) {
    if (attention === 'sample') throw sampleRefused(sampleUnavailable);
    return { kind: 'dense' };
  }
  if (attention === 'auto' && promptTokens < breakEvenTokens) return { kind: 'dense' };
  return {
    kind: 'sample',
    quality,
    selection: SELECTIONS[quality],
    denseTailTokens: DENSE_TAIL_TOKENS,
  };
}

function sampleRefused(reason: string): LongviewError {
  return new LongviewError(
    'attentionUnavailable',
    `Sample attention is not available: ${reason}.`,
    'Choose the attention "dense" or "auto".',
    { attention: 'sample' },
  );
}
