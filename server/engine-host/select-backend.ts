import type { Backend } from '../backends/backend';
import { LongviewError, messageOf } from '../errors';
import type { BackendSelector } from './backend-server';

/**
 * The backends of this build. A wish that none of them can fulfil is refused with the reason: dense is never
 * run in place of sample attention, nor the CPU in place of a GPU that was asked for.
 */
export function createBackendSelector(): BackendSelector {
  let onnx: Promise<Backend> | undefined;
  return ({ device, attention }) => {
    if (device === 'cuda') return Promise.reject(cudaUnavailable());
    if (attention === 'sample') return Promise.reject(sampleUnavailable());
    onnx ??= openOnnx();
    return onnx;
  };
}

async function openOnnx(): Promise<Backend> {
  try {
    // Loaded on first use: the native library is large, and a machine without it gets an answer in words.
    const { createOnnxBackend } = await import('../backends/onnx/onnx-backend');
    return createOnnxBackend();
  } catch (error) {
    throw new LongviewError(
      'deviceUnavailable',
      `The CPU engine (onnxruntime) cannot be loaded: ${messageOf(error)}`,
      'Install Longview again for this platform.',
      undefined,
      { cause: error },
    );
  }
}

function cudaUnavailable(): LongviewError {
  return new LongviewError(
    'deviceUnavailable',
    'The device "cuda" is not available: this build of Longview has no CUDA engine.',
    'Choose the device "cpu" or "auto".',
    { device: 'cuda' },
  );
}

function sampleUnavailable(): LongviewError {
  return new LongviewError(
    'attentionUnavailable',
    'Sample attention is not available: it needs the CUDA engine, and the CPU engine has dense attention only.',
    'Choose the attention "dense" or "auto".',
    { attention: 'sample' },
  );
}
