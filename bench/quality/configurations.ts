import type { BlockSelection, SparsePrefill, TileSelection } from '../../server/backends/backend';
import { sparsePrefill } from '../../server/engine/attention-plan';
import { planAttention, selectionOf } from '../../server/engine/attention-policy';
import type { MeasuredModel } from '../../server/engine/retrieval-heads/retrieval-heads';
import type { ModelSpec } from '../../server/models/model-spec';

/** A way to read prefixes, under the name that its figures have. */
export interface Configuration {
  name: string;
  /** Dense: none. */
  selection: (cell: CellFacts) => BlockSelection | undefined;
}

/** What a configuration may follow. */
export interface CellFacts {
  prefixTokens: number;
  /** Of `balanced` on the same cell; 1 where it did not run. */
  balancedDensity: number;
  model: MeasuredModel & Pick<ModelSpec, 'kvHeadCount'>;
}

/** `balanced` of a model that nobody measured: every head alike. */
const UNIFORM = selectionOf('balanced', undefined);

export const DENSE: Configuration = { name: 'dense', selection: () => undefined };

/** The product's quality classes. `balanced` comes first: the baselines are measured at its density. */
export const CLASSES: Configuration[] = (['balanced', 'fast'] as const).map((quality) => ({
  name: quality,
  selection: ({ model }) => selectionOf(quality, model),
}));

/**
 * What spends as many blocks as `balanced`, without looking for the right ones in the same way, and the published
 * SampleAttention in blocks of 64.
 */
export const BASELINES: Configuration[] = [
  {
    name: 'window',
    selection: (cell) => balancedBut({ alpha: 0, windowTokens: widthAt(cell) }),
  },
  {
    name: 'topBlocks',
    selection: (cell) => {
      const blocks = Math.ceil(widthAt(cell) / 64);
      return balancedBut({ alpha: 0, pooledKeys: 16, minBlocks: blocks, maxBlocks: blocks });
    },
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
 * Keys that every row may read, so that of the causal pairs of n rows the share that `balanced` reads is read:
 * w n - w^2 / 2 = density n^2 / 2.
 */
function widthAt({ prefixTokens, balancedDensity }: CellFacts): number {
  return Math.round(prefixTokens * (1 - Math.sqrt(1 - balancedDensity)));
}

function basics(alpha: number) {
  const { pooledKeys, sinkBlocks, windowTokens } = UNIFORM;
  return { pooledKeys, alpha, countForcedMass: false, sinkBlocks, windowTokens };
}

export function balancedBut(changes: Partial<TileSelection>): TileSelection {
  return { ...UNIFORM, ...changes };
}

/** What the product tells prefill calls of a selection, for a prompt of `promptTokens`: where its dense tail begins. */
export function prefillOf(
  selection: BlockSelection | undefined,
  promptTokens: number,
): SparsePrefill | undefined {
  if (!selection) return undefined;
  const plan = planAttention({ attention: 'sample', quality: 'balanced' }, promptTokens, {});
  const sparse = sparsePrefill(plan, promptTokens);
  return sparse && { ...sparse, selection };
}
