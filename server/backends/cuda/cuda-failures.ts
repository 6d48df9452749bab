import { CancelledError, LongviewError, messageOf } from '../../errors';
import { modelCorrupt } from '../../models/model-errors';
import type { CudaFailureCode } from './addon';

/** What the translation may name. */
export interface FailureContext {
  modelPath: string;
  modelName: string;
  device: string;
}

/** A failure of the addon as the failure that the server knows. */
export function translateFailure(error: unknown, { modelPath, modelName, device }: FailureContext): Error {
  const { code, fittingTokens = 0 } = error as { code?: CudaFailureCode; fittingTokens?: number };
  const message = messageOf(error);
  const facts = { device, model: modelName, ...(fittingTokens > 0 && { fittingTokens }) };
  const failure = (longviewCode: 'outOfMemory' | 'contextTooLarge' | 'engineFailed', action: string) =>
    new LongviewError(longviewCode, sentence(message), action, facts, { cause: error });
  switch (code) {
    case 'cancelled':
      return new CancelledError();
    case 'badModel':
      return modelCorrupt(modelPath, message, { cause: error });
    case 'outOfMemory':
      return failure('outOfMemory', actionWhenShort(fittingTokens));
    case 'contextTooLarge':
      return failure('contextTooLarge', 'Ask about fewer files, or choose a larger context.');
    case 'badNumbers':
      return failure('engineFailed', 'Download the model again, or choose another model.');
    default:
      return failure('engineFailed', 'Ask again; if it fails again, choose the device "cpu".');
  }
}

/** True when the process cannot use the GPU any more: after a fault in a kernel, say. */
export function isFatal(error: unknown): boolean {
  return (error as { code?: CudaFailureCode }).code === 'cudaFatal';
}

function actionWhenShort(fittingTokens: number): string {
  return fittingTokens > 0
    ? `Set the context to at most ${fittingTokens} tokens, or free GPU memory.`
    : 'Free GPU memory, choose a smaller model, or choose the device "cpu".';
}

function sentence(message: string): string {
  const capital = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
