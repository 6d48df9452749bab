import type { TileSelection } from '../../server/backends/backend';
import { balancedBut, type CellFacts, type Configuration } from './configurations';

type Changes = Partial<TileSelection>;

/** What tuning runs try, by name. */
export const GRIDS: Record<string, Configuration[]> = {
  /** How fine keys are scored, at several shares and sampled rows. */
  scoring: [
    { pooledKeys: 8, alpha: 0.8 },
    { pooledKeys: 4, alpha: 0.8 },
    { pooledKeys: 1, alpha: 0.8 },
    { pooledKeys: 8, alpha: 0.9 },
    { pooledKeys: 4, alpha: 0.9 },
    { pooledKeys: 1, alpha: 0.9 },
    { pooledKeys: 1, alpha: 0.95 },
    { pooledKeys: 8, alpha: 0.7, score: 'maximum' },
    { pooledKeys: 4, alpha: 0.7, score: 'maximum' },
    { pooledKeys: 1, alpha: 0.7, score: 'maximum' },
    { pooledKeys: 1, alpha: 0.85, score: 'maximum' },
    { pooledKeys: 8, alpha: 0.98, countForcedMass: true },
    { pooledKeys: 4, alpha: 0.98, countForcedMass: true },
    { pooledKeys: 1, alpha: 0.98, countForcedMass: true },
    { pooledKeys: 1, alpha: 0.95, countForcedMass: true },
    { pooledKeys: 4, alpha: 0.95, countForcedMass: true, score: 'maximum' },
    { pooledKeys: 4, alpha: 0.8, sampledRows: 32 },
    { pooledKeys: 1, alpha: 0.8, sampledRows: 32 },
    { pooledKeys: 4, alpha: 0.95, countForcedMass: true, sampledRows: 32 },
    { pooledKeys: 4, alpha: 0.8, windowTokens: 2048 },
  ].map((changes) => named({ countForcedMass: false, ...changes } as Changes)),
  /** Where the loss comes from: every fourth of the layers in turn densely, or it alone sparsely. */
  layers: [...layerGroups('dense'), ...layerGroups('sparse')],
};

const LAYER_GROUPS = 7;

function layerGroups(kind: 'dense' | 'sparse'): Configuration[] {
  return Array.from({ length: LAYER_GROUPS }, (_, group) => ({
    name: `${kind} ${group + 1}/${LAYER_GROUPS}`,
    selection: ({ model: { layers, heads } }: CellFacts) =>
      balancedBut({
        ...LAYER_PROBE,
        headAlpha: Array.from({ length: layers * heads }, (_entry, i) => {
          const isInGroup = Math.floor((Math.floor(i / heads) * LAYER_GROUPS) / layers) === group;
          return isInGroup === (kind === 'dense') ? 1 : LAYER_PROBE.alpha;
        }),
      }),
  }));
}

/** A selection that loses enough to see what mends it. */
const LAYER_PROBE = { pooledKeys: 8, alpha: 0.8, countForcedMass: false } as const;

function named(changes: Changes): Configuration {
  return { name: nameOf(changes), selection: () => balancedBut(changes) };
}

function nameOf({ sampledRows = 16, alpha, score, countForcedMass, pooledKeys, windowTokens }: Changes): string {
  const parts = [`r${sampledRows}`, `p${pooledKeys ?? ''}`, `a${alpha ?? ''}`];
  const others = [score === 'maximum' && 'max', countForcedMass && 'counted', windowTokens && `w${windowTokens}`];
  return [...parts, ...others].filter(Boolean).join(' ');
}
