import type { AttentionChoice, Quality } from '../../protocol';
import type { LoadedModel, TileSelection } from '../backends/backend';
import { LongviewError } from '../errors';
import type { AttentionPlan } from './attention-plan';
import { alphasByHead, type MeasuredModel, measurementOf } from './retrieval-heads/retrieval-heads';

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

/** What both classes have. */
const COMMON = {
  strategy: 'tiles',
  sampledRows: 16,
  sinkBlocks: 1,
  windowTokens: 512,
  minBlocks: 0,
  maxBlocks: 0,
  denseAbove: 1,
} as const;

/** How a quality class reads models whose heads were measured: `alpha` is that of the heads that are no retrieval heads. */
interface ByHead {
  selection: TileSelection;
  retrievalHeads: number;
  retrievalAlpha: number;
}

const BY_HEAD: Record<Quality, ByHead> = {
  balanced: {
    selection: { ...COMMON, pooledKeys: 4, score: 'maximum', alpha: 0.9, countForcedMass: true },
    retrievalHeads: 48,
    retrievalAlpha: 0.98,
  },
  fast: {
    selection: { ...COMMON, pooledKeys: 4, score: 'mean', alpha: 0.5, countForcedMass: true },
    retrievalHeads: 48,
    retrievalAlpha: 0.98,
  },
};

/** The same for all others: every head alike. */
const UNIFORM: Record<Quality, TileSelection> = {
  balanced: { ...COMMON, pooledKeys: 8, score: 'mean', alpha: 0.98, countForcedMass: true },
  fast: { ...COMMON, pooledKeys: 8, score: 'maximum', alpha: 0.7, countForcedMass: false },
};

/** The selection of a quality class; chosen on the tuning set of `bench/quality`, as docs/sample-attention.md tells. */
export function selectionOf(quality: Quality, model: MeasuredModel | undefined): TileSelection {
  const measured = measurementOf(model);
  if (!measured) return UNIFORM[quality];
  const { selection, retrievalHeads, retrievalAlpha } = BY_HEAD[quality];
  const headAlpha = alphasByHead(measured, retrievalHeads, retrievalAlpha, selection.alpha);
  return { ...selection, headAlpha };
}

/**
 * How a prompt of `promptTokens` tokens is read.
 *
 * @throws LongviewError `attentionUnavailable` where it was asked for by name and cannot run
 */
export function planAttention(
  { attention, quality }: AttentionWish,
  promptTokens: number,
  { sampleUnavailable, spec }: Pick<LoadedModel, 'sampleUnavailable' | 'spec'>,
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
    selection: selectionOf(quality, spec),
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
