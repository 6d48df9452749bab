import { setTimeout as delay } from 'node:timers/promises';
import type { AskOptions, Device, WarmPrefixParams, WarmStatus } from '../../protocol';
import type { ContextService, PackedBase } from '../context/context-service';
import type { Engine } from '../engine/engine';
import type { EngineSettings } from '../engine/generation';
import { CancelledError, LongviewError, messageOf, throwIfCancelled } from '../errors';
import type { ModelStore } from '../models/model-store';
import { budgetFor } from './ask-budget';
import { engineSettings } from './engine-settings';
import type { MachinePressure } from './machine-pressure';
import type { PromptMemory } from './prompt-memory';

export interface WarmPrefixDependencies {
  models: Pick<ModelStore, 'resolve'>;
  context: Pick<ContextService, 'packBase'>;
  engine: Pick<Engine, 'deviceFor' | 'warm' | 'isResting' | 'status'>;
  prompts: PromptMemory;
  pressure: Pick<MachinePressure, 'againstBeginning' | 'againstGoingOn'>;
  onStatus: (status: WarmStatus | undefined) => void;
  log: (line: string) => void;
  waits?: Partial<WarmWaits>;
}

/** In ms. */
export interface WarmWaits {
  /** After the last edit: typing and branch switches come in bursts. */
  settle: number;
  /** Until a question that came in between is over, and until the machine has time. */
  retry: number;
}

const WAITS: WarmWaits = { settle: 1500, retry: 5000 };

/**
 * Keeps what all questions about the repository have in common computed before anybody asks: when a folder opens,
 * after edits, and when questions are over. A question ends it at once, and finds what was computed until then.
 */
export class WarmPrefix {
  private readonly waits: WarmWaits;
  private params: WarmPrefixParams | undefined;
  private timer: NodeJS.Timeout | undefined;
  private running = new AbortController();
  /** The run under way, and so the next one: they never overlap. */
  private tail: Promise<void> = Promise.resolve();
  private disposed = false;

  constructor(private readonly deps: WarmPrefixDependencies) {
    this.waits = { ...WAITS, ...deps.waits };
  }

  configure(params: WarmPrefixParams): void {
    this.params = params;
    this.restart(0);
    if (!params.enabled) this.deps.onStatus(undefined);
  }

  /** Files or unsaved text changed, or a question is over: what is computed may not be what is next. */
  noteChange(): void {
    if (this.params?.enabled) this.restart(this.waits.settle);
  }

  /** A question came: what is prepared for later ends at once. `noteChange` takes it up again. */
  giveWay(): void {
    clearTimeout(this.timer);
    this.running.abort();
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    this.giveWay();
    await this.tail;
  }

  private restart(waitMs: number): void {
    this.giveWay();
    if (this.disposed || !this.params?.enabled) return;
    this.timer = setTimeout(() => this.begin(), waitMs);
  }

  private begin(): void {
    const running = new AbortController();
    this.running = running;
    this.tail = this.tail.then(() => this.run(running.signal));
  }

  private async run(signal: AbortSignal): Promise<void> {
    const { params, deps } = this;
    if (signal.aborted || !params) return;
    if (deps.engine.isResting) {
      deps.onStatus(undefined);
      return;
    }
    try {
      const device = await deps.engine.deviceFor(params.options.device);
      const pressure = await this.pressureOn(device);
      throwIfCancelled(signal);
      if (pressure !== undefined) {
        this.tellWaiting(pressure, 0, signal);
        this.restart(this.waits.retry);
        return;
      }
      const { settings, base } = await this.prepare(params.options, device, signal);
      deps.prompts.note(base.packId, base.spans);
      const prompt = { id: base.packId, tokenIds: base.tokenIds };
      let fraction = 0;
      const breathe = (stopped: AbortSignal): Promise<void> => this.breathe(device, fraction, stopped);
      await deps.engine.warm(
        { settings, prompt, breathe },
        ({ tokens, totalTokens }) => {
          fraction = totalTokens > 0 ? tokens / totalTokens : 1;
          deps.onStatus({ state: fraction < 1 ? 'computing' : 'warm', fraction });
        },
        signal,
      );
      deps.onStatus({ state: 'warm', fraction: 1 });
    } catch (error) {
      this.afterFailure(error, signal);
    }
  }

  private async prepare(
    options: AskOptions,
    device: Device,
    signal: AbortSignal,
  ): Promise<{ settings: EngineSettings; base: PackedBase }> {
    const { models, context } = this.deps;
    const model = await models.resolve(options.model, device, { signal });
    const budget = budgetFor(options, model, device);
    const request = { modelPath: model.path, budgetTokens: budget.promptTokens };
    return {
      settings: engineSettings(options, model, budget),
      base: await context.packBase(request, signal),
    };
  }

  /** Between two chunks: long enough for others to get their turn, until the machine has time. */
  private async breathe(device: Device, fraction: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const reason = this.params?.evenWhenBusy ? undefined : await this.deps.pressure.againstGoingOn(device);
      if (reason === undefined) return;
      this.tellWaiting(reason, fraction, signal);
      await delay(this.waits.retry, undefined, { signal }).catch(() => undefined);
    }
  }

  private tellWaiting(reason: string, fraction: number, signal: AbortSignal): void {
    // What gave way meanwhile has nothing to say any more.
    if (!signal.aborted) this.deps.onStatus({ state: 'waiting', fraction, reason });
  }

  private async pressureOn(device: Device): Promise<string | undefined> {
    const { engine, pressure } = this.deps;
    if (this.params?.evenWhenBusy) return undefined;
    return pressure.againstBeginning(device, engine.status.model !== undefined);
  }

  /**
   * A question came, or another edit: the next run goes on from there. What fails here fails the question, too, which
   * tells it to somebody who can act on it.
   */
  private afterFailure(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    if (error instanceof CancelledError) {
      this.restart(this.waits.retry);
      return;
    }
    this.deps.onStatus(undefined);
    const isExpected = error instanceof LongviewError && EXPECTED.includes(error.code);
    if (!isExpected) this.deps.log(`the repository was not computed ahead: ${messageOf(error)}`);
  }
}

/** There is nothing to compute, or nothing to compute it with, yet. */
const EXPECTED: readonly string[] = ['modelMissing', 'noWorkspace', 'emptyRepository'];
