import type { BlockSelection, SparsePrefill, TileSelection } from '../../server/backends/backend';
import { sparsePrefill } from '../../server/engine/attention-plan';
import { planAttention, SELECTIONS } from '../../server/engine/attention-policy';

/** A way to read prefixes, under the name that its figures have. */
export interface Configuration {
  name: string;
  /** For a cell of this many prefix tokens; `density` is that of `balanced` on the same cell. Dense: none. */
  selection: (prefixTokens: number, density: number) => BlockSelection | undefined;
}

export const DENSE: Configuration = { name: 'dense', selection: () => undefined };

/** The product's quality classes. `balanced` comes first: the baselines are measured at its density. */
export const CLASSES: Configuration[] = (['balanced', 'fast'] as const).map((quality) => ({
  name: quality,
  selection: () => SELECTIONS[quality],
}));

/** Candidates: averages of the dropped blocks, at two shares of the mass. */
export const AVERAGED: Configuration[] = [
  { name: 'averages0.9', selection: () => averaged(0.9) },
  { name: 'averages0.7', selection: () => averaged(0.7) },
];

/**
 * What spends as many blocks as `balanced`, without looking for the right ones in the same way, and the published
 * SampleAttention in blocks of 64.
 */
export const BASELINES: Configuration[] = [
  {
    name: 'window',
    selection: (tokens, density) => balancedBut({ alpha: 0, windowTokens: widthFor(tokens, density) }),
  },
  {
    name: 'topBlocks',
    selection: (tokens, density) =>
      balancedBut({ alpha: 1, pooledKeys: 16, maxBlocks: Math.ceil(widthFor(tokens, density) / 64) }),
  },
  {
    name: 'paperV3',
    selection: () => ({
      ...basics(0.9),
      strategy: 'strips',
      segmentTokens: 1024,
      alphaSlashes: 0.9,
    }),
  },
  {
    name: 'paperV1',
    selection: () => ({ ...basics(0.95), strategy: 'columns', rowStep: 20, windowShare: 0.08 }),
  },
];

/**
 * Keys that every row may read, so that of the causal pairs of `tokens` rows the share `density` is read:
 * w n - w^2 / 2 = density n^2 / 2.
 */
function widthFor(tokens: number, density: number): number {
  return Math.round(tokens * (1 - Math.sqrt(1 - density)));
}

function basics(alpha: number) {
  const { pooledKeys, sinkBlocks, windowTokens } = SELECTIONS.balanced;
  return { pooledKeys, alpha, countForcedMass: false, sinkBlocks, windowTokens, averageDropped: false };
}

function averaged(alpha: number): TileSelection {
  return balancedBut({ alpha, countForcedMass: false, score: 'mean', sampledRows: 16, averageDropped: true });
}

function balancedBut(changes: Partial<TileSelection>): TileSelection {
  return { ...SELECTIONS.balanced, ...changes };
}

/** The settings that a tuning run tries: one line of the front for each number of sampled rows. */
export function sweep(): Configuration[] {
  const grid: Partial<TileSelection>[] = [
    // Keeps every block: what it loses is lost to another order of sums, the floor of the measure.
    { sampledRows: 16, alpha: 1 },
    { sampledRows: 16, alpha: 0.5, averageDropped: true },
    { sampledRows: 16, alpha: 0.7, averageDropped: true },
    { sampledRows: 16, alpha: 0.8, averageDropped: true },
    { sampledRows: 16, alpha: 0.9, averageDropped: true },
    { sampledRows: 16, alpha: 0.95, countForcedMass: true, averageDropped: true },
    { sampledRows: 16, alpha: 0.7, score: 'maximum', averageDropped: true },
    { sampledRows: 16, alpha: 0.7, score: 'maximum' },
    { sampledRows: 16, alpha: 0.98, countForcedMass: true },
  ];
  return grid.map((changes) => ({ name: nameOf(changes), selection: () => balancedBut(changes) }));
}

function nameOf(changes: Partial<TileSelection>): string {
  const { sampledRows, alpha, score, countForcedMass, pooledKeys, averageDropped } = changes;
  const parts = [`r${sampledRows ?? ''}`, `a${alpha ?? ''}`, score, countForcedMass && 'counted'];
  return [...parts, pooledKeys && `p${pooledKeys}`, averageDropped && 'averages'].filter(Boolean).join(' ');
}

/** What the product tells prefill calls of a selection, for a prompt of `promptTokens`: where its dense tail begins. */
export function prefillOf(
  selection: BlockSelection | undefined,
  promptTokens: number,
): SparsePrefill | undefined {
  if (!selection) return undefined;
  const plan = planAttention({ attention: 'sample', quality: 'balanced' }, promptTokens, undefined);
  const sparse = sparsePrefill(plan, promptTokens);
  return sparse && { ...sparse, selection };
}
