import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { LongviewError, messageOf } from '../../errors';

/** The parts of `onnxruntime-node` that are used here. */
export interface OnnxRuntime {
  readonly InferenceSession: typeof InferenceSession;
  readonly Tensor: typeof Tensor;
}

/**
 * Loads the native library only when a model is wanted: on a platform without a build the rest still works.
 *
 * @throws LongviewError `deviceUnavailable`
 */
export async function loadOnnxRuntime(): Promise<OnnxRuntime> {
  try {
    return await import('onnxruntime-node');
  } catch (error) {
    throw new LongviewError(
      'deviceUnavailable',
      `onnxruntime cannot be loaded on ${process.platform}-${process.arch}: ${messageOf(error)}.`,
      'Use a platform that onnxruntime is built for: Linux or Windows on x64 or arm64, or macOS on arm64.',
      undefined,
      { cause: error },
    );
  }
}

/** What onnxruntime throws, in the words of the engine. */
export function describeRuntimeError(error: unknown, doing: string): LongviewError {
  if (error instanceof LongviewError) return error;
  const message = messageOf(error);
  if (/bad_alloc|allocate memory|out of memory|Array buffer allocation failed/i.test(message)) {
    return new LongviewError(
      'outOfMemory',
      `There was not enough memory ${doing}.`,
      'Close other programs, choose a smaller model or set a smaller context.',
      undefined,
      { cause: error },
    );
  }
  return new LongviewError(
    'engineFailed',
    `onnxruntime failed ${doing}: ${message}`,
    'Ask again; when it fails again, delete the converted weights from the cache or choose another model.',
    undefined,
    { cause: error },
  );
}
