import type { Backend, LoadedModel } from '../backends/backend';
import { CancelledError } from '../errors';
import { type AttentionPlan, sparsePrefill } from './attention-plan';
import { interruptible } from './interruptible';
import { planPrefill } from './prefill-schedule';
import type { Sequence } from './sequence';

/** How far a prompt is computed ahead of its question. */
export interface WarmProgress {
  tokens: number;
  totalTokens: number;
}

export interface WarmingInput {
  backend: Backend;
  model: LoadedModel;
  /** Holds the first tokens of `prompt`, and nothing else. */
  sequence: Sequence;
  prompt: Int32Array;
  attention: AttentionPlan;
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
export async function warmUp(input: WarmingInput): Promise<void> {
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
    await interruptible(backend, signal, () => backend.prefillChunk(chunk));
    sequence.append(chunk.tokens);
    report();
  }
}
