import type { LoadedModel } from '../../backends/backend';
import qwenCoder15b from './qwen2.5-coder-1.5b.json';

/** What of a model decides which measurement fits it. */
export type MeasuredModel = NonNullable<LoadedModel['spec']>;

/**
 * How much the query heads of a model need what lies far away. Few do: they find what a question asks for in the
 * context (Wu et al. 2024, "Retrieval Head Mechanistically Explains Long-Context Factuality"). `bench -- quality sweep --grid heads`
 * measures it: each head in turn reads its window alone, and all others everything.
 */
export interface HeadMeasurement extends MeasuredModel {
  /** How the name of a model that this was measured on begins, its quantisations and finetunes included. */
  name: string;
  /** KL(dense || this) at the tokens of answers, in nats: `[layerCount][headCount]`. */
  lossNats: readonly (readonly number[])[];
}

const MEASUREMENTS: readonly HeadMeasurement[] = [qwenCoder15b];

/** Undefined where nobody has measured the model. */
export function measurementOf(model: MeasuredModel | undefined): HeadMeasurement | undefined {
  return MEASUREMENTS.find(
    ({ name, layerCount, headCount }) =>
      model !== undefined &&
      plain(model.name).startsWith(plain(name)) &&
      model.layerCount === layerCount &&
      model.headCount === headCount,
  );
}

/** GGUF files and folders of safetensors write one name differently. */
const plain = (name: string): string => name.replaceAll(/[-_ ]+/g, ' ').toLowerCase();

/**
 * An alpha for each query head, layer by layer: `retrievalAlpha` for the `count` heads that lose most without what is
 * far away, `otherAlpha` for the rest.
 */
export function alphasByHead(
  { lossNats }: Pick<HeadMeasurement, 'lossNats'>,
  count: number,
  retrievalAlpha: number,
  otherAlpha: number,
): number[] {
  const losses = lossNats.flat();
  const ranked = losses.map((_loss, head) => head).sort((a, b) => (losses[b] ?? 0) - (losses[a] ?? 0));
  const retrieval = new Set(ranked.slice(0, count));
  return losses.map((_loss, head) => (retrieval.has(head) ? retrievalAlpha : otherAlpha));
}
