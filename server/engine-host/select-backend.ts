import type { DeviceBackend } from '../backends/backend';
import { loadAddon } from '../backends/cuda/addon';
import { createCudaBackend } from '../backends/cuda/cuda-backend';
import {
  BUILD_COMMAND,
  type CudaAvailability,
  findCudaDevice,
  hasNvidiaDriver,
} from '../backends/cuda/find-device';
import { LongviewError, messageOf } from '../errors';
import type { BackendSelector } from './backend-server';
import { NoticedBackend } from './noticed-backend';

export interface BackendFactories {
  /** Looked up once for each GPU that is asked for, with the first load that may use it. */
  findCuda: (gpu?: number) => CudaAvailability;
  createCuda: typeof createCudaBackend;
  openOnnx: () => Promise<DeviceBackend>;
}

const FACTORIES: BackendFactories = {
  findCuda: (gpu) => findCudaDevice(loadAddon(), hasNvidiaDriver, gpu),
  createCuda: createCudaBackend,
  openOnnx,
};

/**
 * The backends of this build. A wish that none of them can fulfil is refused with the reason: dense is never
 * run in place of sample attention, nor the CPU in place of a GPU that was asked for.
 */
export function createBackendSelector(factories: BackendFactories = FACTORIES): BackendSelector {
  const cuda = each(factories.findCuda);
  const onnx = once(factories.openOnnx);
  const onGpu = each((gpu) => {
    const found = cuda(gpu);
    return found.kind === 'usable' ? factories.createCuda(found.addon, found.device) : undefined;
  });
  const unbuilt = once(async () => new NoticedBackend(await onnx(), notBuiltNotice()));

  const select: BackendSelector['select'] = async ({ device, attention, gpu: number }) => {
    const gpu = device === 'cpu' ? undefined : onGpu(number);
    if (gpu) return gpu;
    const found = device === 'cpu' ? undefined : cuda(number);
    // A number names a GPU as much as the device does.
    const isNamed = device === 'cuda' || (number !== undefined && found?.kind === 'none');
    if (found && isNamed) throw cudaUnavailable(found);
    if (attention === 'sample') throw sampleUnavailable(found);
    return found?.kind === 'build' ? unbuilt() : onnx();
  };
  const deviceFor: BackendSelector['deviceFor'] = (choice) => {
    if (choice !== 'auto') return choice;
    return cuda().kind === 'usable' ? 'cuda' : 'cpu';
  };
  return { deviceFor, select };
}

async function openOnnx(): Promise<DeviceBackend> {
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

function notBuiltNotice(): string {
  return `This machine has an NVIDIA GPU, but the CUDA engine is not built: run \`${BUILD_COMMAND}\`. The CPU is used.`;
}

function cudaUnavailable(found: CudaAvailability): LongviewError {
  const reason = found.kind === 'usable' ? 'it failed to start' : found.reason;
  return new LongviewError(
    'deviceUnavailable',
    `The device "cuda" is not available: ${reason}.`,
    found.kind === 'build'
      ? `Run \`${BUILD_COMMAND}\`, then restart the engine, or choose the device "cpu" or "auto".`
      : 'Choose the device "cpu" or "auto", or another GPU.',
    { device: 'cuda' },
  );
}

/** @param found what stands in the way of a GPU; absent when the CPU was asked for */
function sampleUnavailable(found?: CudaAvailability): LongviewError {
  const reason = found && found.kind !== 'usable' ? `: ${found.reason}` : '';
  return new LongviewError(
    'attentionUnavailable',
    `Sample attention is not available: it runs on the CUDA engine only${reason}.`,
    found?.kind === 'build'
      ? `Run \`${BUILD_COMMAND}\`, then restart the engine, or choose the attention "dense" or "auto".`
      : 'Choose the attention "dense" or "auto".',
    { attention: 'sample' },
  );
}

/** What `make` gave the first time. */
function once<T>(make: () => T): () => T {
  return each(make);
}

/** What `make` gave the first time for the same GPU. */
function each<T>(make: (gpu?: number) => T): (gpu?: number) => T {
  const made = new Map<number | undefined, { value: T }>();
  return (gpu) => {
    const known = made.get(gpu) ?? { value: make(gpu) };
    made.set(gpu, known);
    return known.value;
  };
}
