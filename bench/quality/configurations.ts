import type { BlockSelection } from '../../server/backends/backend';
import type { AttentionPlan } from '../../server/engine/attention-plan';
import { planAttention, SELECTIONS } from '../../server/engine/attention-policy';

/** A way to read prefixes, under the name that its figures have. */
export interface Configuration {
  name: string;
  /** For a cell of this many prefix tokens; `density` is that of `balanced` on the same cell. */
  plan: (prefixTokens: number, density: number) => AttentionPlan;
}

export const DENSE: Configuration = { name: 'dense', plan: () => ({ kind: 'dense' }) };

const LONG = Number.MAX_SAFE_INTEGER;

function product(quality: 'balanced' | 'fast'): Configuration {
  return { name: quality, plan: () => planAttention({ attention: 'sample', quality }, LONG, undefined) };
}

/** The product's quality classes. `balanced` comes first: the baselines are measured at its density. */
export const CLASSES = [product('balanced'), product('fast')];

/** What spends as many blocks as `balanced` does, without looking for the right ones in the same way. */
export const BASELINES: Configuration[] = [
  {
    name: 'window',
    plan: (tokens, density) =>
      chosen({ alpha: 0, windowTokens: Math.round(widthFor(tokens, density) / 64) * 64 }),
  },
  {
    name: 'topBlocks',
    plan: (tokens, density) =>
      chosen({
        alpha: 1,
        sampledRows: 8,
        pooledKeys: 16,
        maxBlocks: Math.max(1, Math.round(widthFor(tokens, density) / 64)),
      }),
  },
];

/**
 * Keys that every row may read, so that of the causal pairs of `tokens` rows the share `density` is read:
 * w n - w^2 / 2 = density n^2 / 2.
 */
function widthFor(tokens: number, density: number): number {
  return tokens * (1 - Math.sqrt(1 - density));
}

/** `balanced` with some parameters changed. */
function chosen(changes: Partial<BlockSelection>): AttentionPlan {
  const plan = planAttention({ attention: 'sample', quality: 'balanced' }, LONG, undefined);
  if (plan.kind !== 'sample') throw new Error('the policy did not choose sample attention');
  return { ...plan, selection: { ...SELECTIONS.balanced, ...changes } };
}

/** The settings that a tuning run tries: one line of the front for each number of sampled rows. */
export function sweep(): Configuration[] {
  const grid: Partial<BlockSelection>[] = [
    { sampledRows: 8, alpha: 0.5 },
    { sampledRows: 8, alpha: 0.7 },
    { sampledRows: 8, alpha: 0.85 },
    { sampledRows: 16, alpha: 0.5 },
    { sampledRows: 16, alpha: 0.7 },
    { sampledRows: 16, alpha: 0.8 },
    { sampledRows: 16, alpha: 0.9 },
    { sampledRows: 32, alpha: 0.7 },
    { sampledRows: 32, alpha: 0.85 },
    { sampledRows: 16, alpha: 0.7, score: 'maximum' },
    { sampledRows: 16, alpha: 0.8, windowTokens: 1024 },
    { sampledRows: 16, alpha: 0.8, windowTokens: 256 },
    { sampledRows: 16, alpha: 0.7, denseAbove: 0.5 },
  ];
  return grid.map((changes) => ({ name: nameOf(changes), plan: () => chosen(changes) }));
}

function nameOf(changes: Partial<BlockSelection>): string {
  const short = { sampledRows: 'r', alpha: 'a', windowTokens: 'w', score: '', denseAbove: 'd' } as const;
  return Object.entries(changes)
    .map(([key, value]) => `${short[key as keyof typeof short]}${String(value)}`)
    .join(' ');
}
