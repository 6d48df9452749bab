import type { PrefillPrecision } from '../../protocol';
import type { Backend, LoadedModel } from '../../server/backends/backend';
import { type CudaAddon, type CudaEngine, loadAddon } from '../../server/backends/cuda/addon';
import { CudaBackend } from '../../server/backends/cuda/cuda-backend';
import { findCudaDevice } from '../../server/backends/cuda/find-device';
import { openGguf } from '../../server/models/gguf/open-gguf';
import { readModelSpec } from '../../server/models/read-model-spec';
import type { CellFacts } from './configurations';
import { YARN_FACTOR } from './contexts';
import { PromptWriter } from './prompts';
import { PrefixReader } from './reader';

/** The product's backend on the first GPU, with a model loaded. */
export interface Device {
  name: string;
  reader: PrefixReader;
  writer: PromptWriter;
  backend: Backend;
  model: CellFacts['model'];
}

export interface DeviceOptions {
  addonFile: string;
  modelPath: string;
  contextTokens: number;
  /** Absent: bf16. */
  prefillPrecision?: PrefillPrecision;
}

/** Sweeps try finer averages than the product's. */
const FINEST_POOLED_KEYS = 4;

/** @throws Error where there is no GPU, LongviewError as the backend does */
export async function openDevice({
  addonFile,
  modelPath,
  contextTokens,
  prefillPrecision,
}: DeviceOptions): Promise<Device> {
  const found = findCudaDevice(loadAddon(addonFile), () => true);
  if (found.kind !== 'usable') throw new Error(found.reason);
  const gguf = await openGguf(modelPath);
  const writer = new PromptWriter(gguf);
  const spec = readModelSpec(gguf);
  await gguf.close();
  const { addon, engine } = capturing(found.addon);
  const backend = new CudaBackend({
    addon,
    device: found.device,
    freshSeed: () => 1,
    pooledKeys: FINEST_POOLED_KEYS,
    endProcess: (reason) => {
      throw new Error(reason);
    },
  });
  const loaded: LoadedModel = await backend.load(
    {
      modelPath,
      modelSha256: '',
      cacheDir: '',
      device: 'cuda',
      attention: 'auto',
      contextTokens,
      yarnFactor: YARN_FACTOR,
      cpuThreads: 1,
      ...(prefillPrecision && { prefillPrecision }),
    },
    () => undefined,
  );
  if (loaded.sampleUnavailable !== undefined) throw new Error(loaded.sampleUnavailable);
  const reader = new PrefixReader(backend, engine(), loaded, writer.tokenizer);
  return { name: found.device.name, reader, writer, backend, model: spec };
}

/** The addon, and the engine that the backend makes of it: `Backend` has no logits, which only benches read. */
function capturing(addon: CudaAddon): { addon: CudaAddon; engine: () => CudaEngine } {
  let made: CudaEngine | undefined;
  const Engine = function make(index: number) {
    made = new addon.Engine(index);
    return made;
  } as unknown as CudaAddon['Engine'];
  const engine = (): CudaEngine => {
    if (!made) throw new Error('the backend made no engine');
    return made;
  };
  return { addon: { probe: () => addon.probe(), Engine }, engine };
}
