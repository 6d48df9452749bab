import type { AskOptions, Device } from '../../protocol';
import { LongviewError } from '../errors';
import type { ResolvedModel } from '../models/model-store';

/** How the context is shared out between prompt and answer, in tokens. */
export interface AskBudget {
  contextTokens: number;
  promptTokens: number;
}

/** @throws LongviewError `contextTooLarge` beyond what the model was trained for; `badRequest` without room for a prompt */
export function budgetFor(options: AskOptions, model: ResolvedModel, device: Device): AskBudget {
  const contextTokens = options.contextTokens ?? defaultContext(model, device);
  if (contextTokens > model.trainedContextTokens)
    throw new LongviewError(
      'contextTooLarge',
      `A context of ${contextTokens} tokens was asked for, and ${model.id} was trained for ${model.trainedContextTokens}.`,
      `Ask for a context of at most ${model.trainedContextTokens} tokens or choose another model.`,
      { model: model.id, contextTokens, trainedContextTokens: model.trainedContextTokens },
    );
  const promptTokens = contextTokens - options.maxAnswerTokens;
  if (promptTokens < 1)
    throw new LongviewError(
      'badRequest',
      `An answer of up to ${options.maxAnswerTokens} tokens leaves no room for a prompt in a context of ${contextTokens}.`,
      'Ask for a shorter answer or a larger context.',
      { contextTokens, maxAnswerTokens: options.maxAnswerTokens },
    );
  return { contextTokens, promptTokens };
}

/** A GPU reads all that the model can; a CPU would take minutes for that. */
function defaultContext({ cpuContextTokens, trainedContextTokens }: ResolvedModel, device: Device): number {
  return device === 'cuda' ? trainedContextTokens : Math.min(cpuContextTokens, trainedContextTokens);
}
