import type { Backend, LoadedModel } from '../backends/backend';
import { CancelledError, throwIfCancelled } from '../errors';
import { type AttentionPlan, attentionKey, beginningOf, sparsePrefill } from './attention-plan';
import { planAttention } from './attention-policy';
import type { EngineDevice } from './engine-device';
import type { WarmRequest } from './generation';
import { interruptible } from './interruptible';
import { planPrefill } from './prefill-schedule';
import type { ComputeCost } from './prefix-cache/compute-cost';
import type { Scheduler } from './scheduler';
import type { Sequence } from './sequence';
import { untilAborted } from './until-aborted';

/** How far a prompt is computed ahead of its question. */
export interface WarmProgress {
  tokens: number;
  totalTokens: number;
}

/** Computes prompts ahead of their questions, in the turns that no question takes. */
export class Warming {
  constructor(
    private readonly scheduler: Scheduler,
    private readonly device: EngineDevice,
  ) {}

  /** As `Engine.warm`. */
  async warm(
    request: WarmRequest,
    onProgress: (progress: WarmProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const ticket = this.scheduler.enqueueBackground();
    const ending = AbortSignal.any([signal, ticket.preempted]);
    try {
      await untilAborted(signal, ticket.granted);
      const loaded = await this.device.load(request.settings, () => undefined, ending);
      throwIfCancelled(ending);
      await this.run(request, loaded, onProgress, ending);
    } finally {
      ticket.release();
    }
  }

  private async run(
    { settings, prompt, breathe }: WarmRequest,
    loaded: LoadedModel,
    onProgress: (progress: WarmProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { resident } = this.device;
    let sequence: Sequence | undefined;
    try {
      const plan = planAttention(settings, prompt.tokenIds.length, loaded);
      const { attention, tokens } = beginningOf(plan, prompt.tokenIds);
      // The question that follows goes on in the same place.
      const wanted = { id: prompt.id, tokens, attention, totalTokens: settings.contextTokens };
      if (!resident.covers(wanted)) {
        const residence = await resident.sequenceFor(wanted, NO_SAMPLING, NO_TEXT, signal);
        sequence = residence.sequence;
        await warmUp({ ...residence, prompt: tokens, attention, onProgress, breathe, signal });
      }
      await resident.store(wanted, signal);
    } catch (error) {
      if (!(error instanceof CancelledError)) await this.device.recover(sequence, error);
      throw error;
    }
  }
}

/** Nothing is sampled while a prompt is warmed; the question sets its own when it goes on. */
const NO_SAMPLING = { temperature: 0, topP: 1, topK: 0, stop: [] };
const NO_TEXT = { firstUnusedToken: 1 };

interface WarmingInput {
  backend: Backend;
  model: LoadedModel;
  /** Holds the first tokens of `prompt`, and nothing else. */
  sequence: Sequence;
  prompt: Int32Array;
  attention: AttentionPlan;
  cost: ComputeCost;
  onProgress: (progress: WarmProgress) => void;
  /** Resolves when the machine has time for the next chunk. */
  breathe: (signal: AbortSignal) => Promise<void>;
  signal: AbortSignal;
}

/**
 * Computes a prompt for a question that may come: in chunks that a question can wait for, and none of them once
 * `signal` is aborted. What was computed stays.
 *
 * @throws CancelledError
 */
async function warmUp(input: WarmingInput): Promise<void> {
  const { backend, model, sequence, prompt, signal } = input;
  const report = (): void => input.onProgress({ tokens: sequence.lengthTokens, totalTokens: prompt.length });
  report();
  const sparse = sparsePrefill(input.attention, prompt.length);
  const chunks = planPrefill(prompt.length, sequence.lengthTokens, model.backgroundChunkTokens);
  for (const { start, end } of chunks) {
    await input.breathe(signal);
    if (signal.aborted) throw new CancelledError();
    const chunk = {
      sequence: sequence.id,
      tokens: prompt.slice(start, end),
      sample: false,
      ...(sparse && { sparse }),
    };
    const { deviceMs } = await interruptible(backend, signal, () => backend.prefillChunk(chunk));
    sequence.append(chunk.tokens);
    input.cost.observe(attentionKey(input.attention), start, chunk.tokens.length, deviceMs);
    report();
  }
}
