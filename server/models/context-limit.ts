import { LongviewError } from '../errors';

/** What of a model bounds its context. */
export interface ContextBounds {
  trainedContextTokens: number;
  /** How many times longer YaRN may make the trained context, by the word of the model's publisher; absent: not at all. */
  yarnFactor?: number;
}

/** The longest context that a model may have, with YaRN where that is allowed. */
export function longestContext({ trainedContextTokens, yarnFactor = 1 }: ContextBounds): number {
  return trainedContextTokens * yarnFactor;
}

/** @throws LongviewError `contextTooLarge` for a context that the model does not reach */
export function checkContext(contextTokens: number, model: string, bounds: ContextBounds): void {
  const longest = longestContext(bounds);
  if (contextTokens <= longest) return;
  const { trainedContextTokens } = bounds;
  const how =
    longest > trainedContextTokens ? `reads at most ${longest} with YaRN` : `was trained for ${longest}`;
  throw new LongviewError(
    'contextTooLarge',
    `A context of ${contextTokens} tokens was asked for, and ${model} ${how}.`,
    `Ask for a context of at most ${longest} tokens or choose another model.`,
    { model, contextTokens, trainedContextTokens, longestContextTokens: longest },
  );
}
