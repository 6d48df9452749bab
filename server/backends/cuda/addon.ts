import path from 'node:path';
import type { PrefillPrecision } from '../../../protocol';
import { messageOf } from '../../errors';
import type { ModelSpec } from '../../models/model-spec';
import type { BlockCounts, PooledKeys, SparsePrefill } from '../backend';

/** The native module of `kernels/addon`. Loading it needs no driver; using it does. */
export interface CudaAddon {
  /** Never throws: `failure` says why no GPU can be used. */
  probe(): CudaProbe;
  Engine: new (deviceIndex: number) => CudaEngine;
}

export interface CudaProbe {
  /** Highest CUDA version that the driver supports, such as "13.0"; "0.0" without a driver. */
  driverVersion: string;
  runtimeVersion: string;
  devices: CudaDevice[];
  failure?: string;
}

export interface CudaDevice {
  index: number;
  name: string;
  computeCapability?: string;
  totalBytes?: number;
  /** Why the kernels do not run on it. */
  failure?: string;
}

/** A tensor of the file; `format` is the number of its type in the GGUF format. A vector has one row. */
export interface CudaTensor {
  name: string;
  format: number;
  rows: number;
  columns: number;
  offsetBytes: number;
  /** Which of the request's `paths` holds it. */
  file: number;
}

export interface CudaLoadRequest {
  /** The files that hold tensors. */
  paths: readonly string[];
  spec: ModelSpec;
  tensors: CudaTensor[];
  contextTokens: number;
  chunkTokens: number;
  /** Fewest keys that a selection averages: decides the room for the averages. Absent: no sparse prefill. */
  pooledKeys?: PooledKeys;
  /** Absent: bf16 where it fits, else as the file stores them. */
  weights?: CudaWeights;
  /** `fp8`: copies of the layers in e4m3 beside the weights, for prefill. Absent: bf16. */
  prefillPrecision?: PrefillPrecision;
  /** Prefill by the kernels that run on every GPU, also where there are faster ones; for tests. */
  kernels?: 'portable';
}

/** `stored`: quantised in memory, each layer made bf16 for each chunk: slower, and smaller. */
export type CudaWeights = 'bf16' | 'stored';

export interface CudaMemoryPlan {
  weights: CudaWeights;
  weightBytes: number;
  kvBytes: number;
  /** Tokens that the pool of KV holds, of all sequences. */
  poolTokens: number;
  /** Tokens of one block of the pool. */
  kvBlockTokens: number;
  workspaceBytes: number;
  /** The longest context that would have fitted. */
  fittingTokens: number;
  /** The plan in words. */
  description: string;
}

export interface CudaSampling {
  temperature: number;
  topP: number;
  topK: number;
  seed: number;
  /** Ids from here on are never sampled. */
  candidates: number;
}

export interface CudaStep {
  next?: number;
  /** Of a prefill with a selection. */
  blocks?: BlockCounts;
  deviceMs: number;
  /** Part of `deviceMs`; of a prefill. */
  attentionMs?: number;
  /** Part of that; of a prefill with a selection. */
  selectionMs?: number;
}

/** A model on one GPU. Calls run one after the other; a failure is an Error with a `CudaFailureCode`. */
export interface CudaEngine {
  load(request: CudaLoadRequest, onProgress: (fraction: number) => void): Promise<CudaMemoryPlan>;
  openSequence(sampling: CudaSampling): Promise<number>;
  prefill(
    sequence: number,
    tokens: Int32Array,
    choose: boolean,
    /** Told of each layer that was enqueued: `begun` counts them, and all but the last two are done. */
    onLayer?: (begun: number) => void,
    /** Absent: dense. */
    sparse?: SparsePrefill,
  ): Promise<CudaStep>;
  /** With `continues`, the step behind this one begins before it is asked for. */
  decode(sequence: number, token: number, continues: boolean): Promise<CudaStep>;
  rewind(sequence: number, lengthTokens: number, sampling: CudaSampling): Promise<void>;
  closeSequence(sequence: number): Promise<void>;
  /** A new sequence that starts with the first tokens of another and shares their blocks. */
  fork(sequence: number, lengthTokens: number, sampling: CudaSampling): Promise<number>;
  /** KV of tokens that lie in one block, from its start. */
  exportKv(sequence: number, startToken: number, tokens: number): Promise<Uint8Array>;
  /** Appends what `exportKv` gave. */
  importKv(sequence: number, tokens: number, kv: Uint8Array): Promise<void>;
  /** Of the last choice; for tests and benches. */
  logits(): Promise<Float32Array>;
  /** Blocks of each list of the last prefill with a selection, [layers, heads, query tiles]; for tests and benches. */
  blockCounts(): Promise<Int32Array>;
  /** Ends the load or prefill under way, which rejects with `cancelled`. */
  cancel(): void;
  dispose(): Promise<void>;
}

export type CudaFailureCode =
  | 'cancelled'
  | 'badModel'
  | 'outOfMemory'
  | 'contextTooLarge'
  | 'badNumbers'
  | 'badArgument'
  | 'cuda'
  | 'cudaFatal';

/** The addon, or why there is none. */
export type AddonResult = { addon: CudaAddon } | { missing: string };

/** Loads `longview-cuda.node` from beside the running program. */
export function loadAddon(file = path.join(__dirname, 'longview-cuda.node')): AddonResult {
  const module = { exports: {} };
  try {
    process.dlopen(module, file);
  } catch (error) {
    return { missing: messageOf(error) };
  }
  // What the file exports is what kernels/addon/addon.cc defines: both are built from one commit.
  return { addon: module.exports as CudaAddon };
}
