import type { ContextAccount, InspectContextParams } from '../../protocol';
import type { ContextService } from '../context/context-service';
import type { Engine } from '../engine/engine';
import type { ModelStore } from '../models/model-store';
import { budgetFor } from './ask-budget';
import { engineSettings } from './engine-settings';

export interface ContextInspectorDependencies {
  models: Pick<ModelStore, 'resolve'>;
  context: Pick<ContextService, 'inspect'>;
  engine: Pick<Engine, 'deviceFor' | 'heldTokens'>;
  /** Tells the client that what the next prompt would hold may have changed. */
  onChange: () => void;
  settleMs?: number;
}

/** After the last change: typing, branch switches and file lists come in bursts. */
const SETTLE_MS = 700;

/** Accounts for the prompt of the next question as it would be packed now, and says when to look again. */
export class ContextInspector {
  private timer: NodeJS.Timeout | undefined;
  private readonly settleMs: number;

  constructor(private readonly deps: ContextInspectorDependencies) {
    this.settleMs = deps.settleMs ?? SETTLE_MS;
  }

  /** @throws LongviewError as a question would */
  async inspect({ options, ...asked }: InspectContextParams, signal: AbortSignal): Promise<ContextAccount> {
    const { engine, models, context } = this.deps;
    const device = await engine.deviceFor(options.device);
    const model = await models.resolve(options.model, device, { signal });
    const { promptTokens: budgetTokens, contextTokens } = budgetFor(options, model, device);
    const held = engine.heldTokens(
      engineSettings(options, model, { promptTokens: budgetTokens, contextTokens }),
    );
    return context.inspect({ ...asked, held, modelPath: model.path, budgetTokens, contextTokens }, signal);
  }

  /** Files, unsaved text or choices changed. */
  noteChange(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.deps.onChange(), this.settleMs);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}
