import type { TileSelection } from '../../server/backends/backend';
import { alphasByHead, measurementOf } from '../../server/engine/retrieval-heads/retrieval-heads';
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

/** Retrieval heads, their alpha, that of the others, and what else differs from `balanced` of models without them. */
const RETRIEVAL: [number, number, number, Changes?][] = [
  [48, 0.98, 0.5],
  [48, 0.98, 0.7],
  [48, 0.98, 0.85],
  [96, 0.95, 0.7],
  [24, 1, 0.7],
  [48, 0.98, 0.9, { score: 'maximum' }],
  [48, 0.98, 0.7, { sampledRows: 32 }],
  [48, 0.98, 0.7, { windowTokens: 1024 }],
  [48, 0.98, 0],
  [0, 0, 0.9],
];

/** Where no head was measured none is a retrieval head. */
const NOT_MEASURED = { lossNats: [] };

/** What tuning runs try: the grids' names, and what each makes of a model. */
export const GRIDS: Record<string, (model: CellFacts['model']) => Configuration[]> = {
  scoring: () => SCORING.map((changes) => named({ countForcedMass: false, ...changes })),
  /** What each query head needs far away: one after the other reads its window and the sink alone. */
  heads: ({ layerCount, headCount }) => blinded(layerCount, headCount, 1),
  /** The same for the query heads of a KV head together. */
  groups: ({ layerCount, headCount, kvHeadCount }) => blinded(layerCount, headCount, headCount / kvHeadCount),
  /** How many heads read how much, and what the others read. */
  retrieval: (model) =>
    RETRIEVAL.map(([count, alpha, others, changes = {}]) => ({
      name: `${count} heads a${alpha}, others a${others} ${nameOf(changes)}`.trimEnd(),
      selection: () =>
        balancedBut({
          pooledKeys: 4,
          ...changes,
          alpha: others,
          headAlpha: alphasByHead(measurementOf(model) ?? NOT_MEASURED, count, alpha, others),
        }),
    })),
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

function nameOf({ sampledRows, alpha, score, countForcedMass, pooledKeys, windowTokens }: Changes): string {
  const numbers = { r: sampledRows, p: pooledKeys, a: alpha, w: windowTokens };
  const parts = Object.entries(numbers).flatMap(([letter, value]) =>
    value === undefined ? [] : `${letter}${value}`,
  );
  return [...parts, score === 'maximum' && 'max', countForcedMass && 'counted'].filter(Boolean).join(' ');
}
