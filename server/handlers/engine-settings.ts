import type { AskOptions } from '../../protocol';
import type { EngineSettings } from '../engine/generation';
import type { ResolvedModel } from '../models/model-store';
import type { AskBudget } from './ask-budget';

/** What the engine is to load for questions with these options; KV is kept apart by it. */
export function engineSettings(options: AskOptions, model: ResolvedModel, budget: AskBudget): EngineSettings {
  return {
    modelName: model.id,
    modelPath: model.path,
    modelSha256: model.sha256,
    device: options.device,
    attention: options.attention,
    quality: options.quality,
    contextTokens: budget.contextTokens,
    ...(model.yarnFactor !== undefined && { yarnFactor: model.yarnFactor }),
  };
}
