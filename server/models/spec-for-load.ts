import { type ContextBounds, checkContext } from './context-limit';
import { dequantize } from './gguf/dequantize';
import type { GgufFile } from './gguf/gguf-file';
import { modelCorrupt } from './model-errors';
import type { ModelSpec } from './model-spec';
import { ROPE_DIVISORS, readModelSpec } from './read-model-spec';
import { yarnScaling } from './rope-scaling';

/** A model as one load runs it. */
export interface SpecForLoad {
  spec: ModelSpec;
  /** What of it differs from how the model was trained, in words. */
  notices: string[];
}

/**
 * The shape of the model in an open file, its positions made ready for a context: one that is longer than the trained
 * one is reached with YaRN where `yarnFactor` allows it. KV made by either way of turning does not fit the other.
 *
 * @throws LongviewError as `readModelSpec` does; `contextTooLarge`
 */
export async function specForLoad(
  gguf: GgufFile,
  { contextTokens, yarnFactor }: { contextTokens: number } & Pick<ContextBounds, 'yarnFactor'>,
): Promise<SpecForLoad> {
  const read = readModelSpec(gguf);
  const { trainedContextTokens, name } = read;
  const ropeDivisors = await readRopeDivisors(gguf);
  const spec = { ...read, ...(ropeDivisors && { ropeDivisors }) };
  // Positions that are scaled already are not scaled again.
  const isPlain = !spec.yarn && !spec.ropeDivisors;
  const bounds = { trainedContextTokens, ...(isPlain && yarnFactor !== undefined && { yarnFactor }) };
  checkContext(contextTokens, name, bounds);
  if (contextTokens <= trainedContextTokens || bounds.yarnFactor === undefined) return { spec, notices: [] };
  const yarn = yarnScaling(bounds.yarnFactor, trainedContextTokens);
  const notice = `YaRN factor ${yarn.factor}: the context is longer than the ${trainedContextTokens} tokens that the model was trained for.`;
  return { spec: { ...spec, yarn }, notices: [notice] };
}

/** @throws LongviewError `modelCorrupt` */
async function readRopeDivisors(gguf: GgufFile): Promise<number[] | undefined> {
  const tensor = gguf.tensors.get(ROPE_DIVISORS);
  if (!tensor) return undefined;
  const divisors = dequantize(tensor.type, await gguf.readTensor(ROPE_DIVISORS), tensor.elementCount);
  if (divisors.every((divisor) => divisor > 0 && Number.isFinite(divisor))) return [...divisors];
  throw modelCorrupt(gguf.path, `the tensor ${ROPE_DIVISORS} holds something else than positive numbers`);
}
