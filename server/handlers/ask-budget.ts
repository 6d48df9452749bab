import type { AskOptions, Device } from '../../protocol';
import { LongviewError } from '../errors';
import { checkContext, longestContext } from '../models/context-limit';
import type { ResolvedModel } from '../models/model-store';

/** How the context is shared out between prompt and answer, in tokens. */
export interface AskBudget {
  contextTokens: number;
  promptTokens: number;
}

/** @throws LongviewError `contextTooLarge` beyond what the model reaches; `badRequest` without room for a prompt */
export function budgetFor(options: AskOptions, model: ResolvedModel, device: Device): AskBudget {
  const contextTokens = options.contextTokens ?? defaultContext(model, device);
  checkContext(contextTokens, model.id, model);
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

/**
 * A GPU reads all that the model can, with YaRN where that is allowed; a CPU would take minutes for that. One context
 * for every question: positions are turned one way or the other for a whole load, and KV is not reused across.
 */
function defaultContext(model: ResolvedModel, device: Device): number {
  return device === 'cuda'
    ? longestContext(model)
    : Math.min(model.cpuContextTokens, model.trainedContextTokens);
}
