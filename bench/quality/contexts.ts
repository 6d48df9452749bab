import { openGguf } from '../../server/models/gguf/open-gguf';
import { readModelSpec } from '../../server/models/read-model-spec';

/** How far YaRN may take the models of the catalogue beyond the context that they were trained for. */
export const YARN_FACTOR = 4;

/** Tokens of context that the model's file allows without YaRN. */
export async function trainedTokensOf(modelPath: string): Promise<number> {
  const gguf = await openGguf(modelPath);
  const { trainedContextTokens } = readModelSpec(gguf);
  await gguf.close();
  return trainedContextTokens;
}

/** What a model is loaded with for prompts of a length: all that need YaRN share the longest context. */
export function contextFor(lengthTokens: number, trainedTokens: number): number {
  return lengthTokens > trainedTokens ? trainedTokens * YARN_FACTOR : trainedTokens;
}
