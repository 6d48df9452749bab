import type { SparsePrefill } from '../../../../../server/backends/backend';
import type {
  CudaAddon,
  CudaDevice,
  CudaEngine,
  CudaLoadRequest,
  CudaMemoryPlan,
  CudaProbe,
  CudaSampling,
  CudaStep,
} from '../../../../../server/backends/cuda/addon';

export const DEVICE: CudaDevice = { index: 0, name: 'NVIDIA Fake', computeCapability: '9.0' };

const PLAN: CudaMemoryPlan = {
  weights: 'bf16',
  weightBytes: 1,
  kvBytes: 1,
  poolTokens: 8192,
  kvBlockTokens: 640,
  workspaceBytes: 1,
  fittingTokens: 4096,
  description: 'weights 0.1 GB + KV 0.1 GB for 64 tokens + workspace 0.1 GB',
};

/** Writes down what it was asked; the next token is the last one plus one. */
export class FakeEngine implements CudaEngine {
  readonly calls: string[] = [];
  readonly samplings: CudaSampling[] = [];
  loaded: CudaLoadRequest | undefined;
  plan = PLAN;
  /** Of the last prefill. */
  sparse: SparsePrefill | undefined;
  /** What every prefill tells of its layers. */
  layersTold: number[] = [];
  /** Thrown by the next call. */
  failure: { code: string; message: string; fittingTokens?: number } | undefined;
  private opened = 0;

  async load(request: CudaLoadRequest, onProgress: (fraction: number) => void): Promise<CudaMemoryPlan> {
    this.note('load');
    this.loaded = request;
    onProgress(0.5);
    return Promise.resolve(this.plan);
  }

  async openSequence(sampling: CudaSampling): Promise<number> {
    this.note('openSequence');
    this.samplings.push(sampling);
    return Promise.resolve(++this.opened);
  }

  async prefill(
    sequence: number,
    tokens: Int32Array,
    choose: boolean,
    onLayer?: (begun: number) => void,
    sparse?: SparsePrefill,
  ): Promise<CudaStep> {
    this.note(`prefill ${sequence} [${tokens.join(' ')}]`);
    this.sparse = sparse;
    for (const begun of this.layersTold) onLayer?.(begun);
    return Promise.resolve({
      ...(choose && { next: (tokens.at(-1) ?? 0) + 1 }),
      ...(sparse && { blocks: { kept: 3, visible: 6 } }),
      deviceMs: 2,
    });
  }

  async decode(sequence: number, token: number, continues: boolean): Promise<CudaStep> {
    this.note(`decode ${sequence} ${token}${continues ? ' and on' : ''}`);
    return Promise.resolve({ next: token + 1, deviceMs: 1 });
  }

  async rewind(sequence: number, lengthTokens: number, sampling: CudaSampling): Promise<void> {
    this.note(`rewind ${sequence} ${lengthTokens}`);
    this.samplings.push(sampling);
    return Promise.resolve();
  }

  async closeSequence(sequence: number): Promise<void> {
    this.note(`close ${sequence}`);
    return Promise.resolve();
  }

  async fork(sequence: number, lengthTokens: number, sampling: CudaSampling): Promise<number> {
    this.note(`fork ${sequence} ${lengthTokens}`);
    this.samplings.push(sampling);
    return Promise.resolve(++this.opened);
  }

  async exportKv(sequence: number, startToken: number, tokens: number): Promise<Uint8Array> {
    this.note(`export ${sequence} ${startToken} ${tokens}`);
    return Promise.resolve(Uint8Array.of(startToken, tokens));
  }

  async importKv(sequence: number, tokens: number, kv: Uint8Array): Promise<void> {
    this.note(`import ${sequence} ${tokens} [${kv.join(' ')}]`);
    return Promise.resolve();
  }

  async logits(): Promise<Float32Array> {
    return Promise.resolve(new Float32Array());
  }

  async blockCounts(): Promise<Int32Array> {
    return Promise.resolve(new Int32Array());
  }

  cancel(): void {
    this.note('cancel');
  }

  async dispose(): Promise<void> {
    this.note('dispose');
    return Promise.resolve();
  }

  private note(call: string): void {
    this.calls.push(call);
    const { failure } = this;
    this.failure = undefined;
    if (failure) throw Object.assign(new Error(failure.message), failure);
  }
}

/** An addon that sees the given GPUs; every engine it makes is the same one. */
export function fakeAddon(probe: Partial<CudaProbe> = {}, engine = new FakeEngine()): CudaAddon {
  return {
    probe: () => ({ driverVersion: '13.0', runtimeVersion: '13.0', devices: [DEVICE], ...probe }),
    // Called with `new`, a function gives the object that it returns.
    Engine: function makeEngine() {
      return engine;
    } as unknown as CudaAddon['Engine'],
  };
}
