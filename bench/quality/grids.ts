import type { TileSelection } from '../../server/backends/backend';
import { balancedBut, type CellFacts, type Configuration } from './configurations';

type Changes = Partial<TileSelection>;

/** How fine keys are scored, at several shares and sampled rows. */
const SCORING: Changes[] = [
  { pooledKeys: 8, alpha: 0.98, countForcedMass: true },
  { pooledKeys: 8, alpha: 0.95, countForcedMass: true },
  { pooledKeys: 8, alpha: 0.7, score: 'maximum' },
  { pooledKeys: 4, alpha: 0.7, score: 'maximum' },
  { pooledKeys: 1, alpha: 0.7, score: 'maximum' },
  { pooledKeys: 4, alpha: 0.5 },
  { pooledKeys: 4, alpha: 0.8 },
  { pooledKeys: 1, alpha: 0.8 },
  { pooledKeys: 4, alpha: 0.8, windowTokens: 2048 },
  { pooledKeys: 4, alpha: 0.7, windowTokens: 4096 },
  { pooledKeys: 4, alpha: 0.8, windowTokens: 2048, score: 'maximum' },
  { pooledKeys: 4, alpha: 0.9, countForcedMass: true },
  { pooledKeys: 4, alpha: 0.9, countForcedMass: true, score: 'maximum' },
  { pooledKeys: 4, alpha: 0.95, countForcedMass: true, score: 'maximum' },
  { pooledKeys: 4, alpha: 0.9, countForcedMass: true, sampledRows: 32 },
  { pooledKeys: 4, alpha: 0.95, countForcedMass: true, sampledRows: 32 },
  { pooledKeys: 4, alpha: 0.9, countForcedMass: true, sampledRows: 32, score: 'maximum' },
  { pooledKeys: 4, alpha: 0.9, countForcedMass: true, windowTokens: 2048, score: 'maximum' },
];

/** What tuning runs try: the grids' names, and what each makes of a model. */
export const GRIDS: Record<string, (model: CellFacts['model']) => Configuration[]> = {
  scoring: () => SCORING.map((changes) => named({ countForcedMass: false, ...changes })),
  /** What each query head needs far away: one after the other reads its window and the sink alone. */
  heads: ({ layers, heads }) => blinded(layers, heads, 1),
  /** The same for the query heads of a KV head together. */
  groups: ({ layers, heads, kvHeads }) => blinded(layers, heads, heads / kvHeads),
};

/** Configurations that take everything but the window from `count` neighbouring heads of a layer, and nothing from the others. */
function blinded(layers: number, heads: number, count: number): Configuration[] {
  return Array.from({ length: (layers * heads) / count }, (_, group) => ({
    name: `${Math.floor((group * count) / heads)}/${(group * count) % heads}`,
    selection: () =>
      balancedBut({
        headAlpha: Array.from({ length: layers * heads }, (_head, i) =>
          Math.floor(i / count) === group ? 0 : 1,
        ),
      }),
  }));
}

function named(changes: Changes): Configuration {
  return { name: nameOf(changes), selection: () => balancedBut(changes) };
}

function nameOf({
  sampledRows = 16,
  alpha,
  score,
  countForcedMass,
  pooledKeys,
  windowTokens,
}: Changes): string {
  const parts = [`r${sampledRows}`, `p${pooledKeys ?? ''}`, `a${alpha ?? ''}`];
  const others = [
    score === 'maximum' && 'max',
    countForcedMass && 'counted',
    windowTokens && `w${windowTokens}`,
  ];
  return [...parts, ...others].filter(Boolean).join(' ');
}
