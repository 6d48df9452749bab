import type { AttentionChoice, BackendKind, DeviceChoice, SamplingOptions } from '../../protocol';
import type { TokenId } from '../tokenizer/tokenizer';

/**
 * What the engine needs of a device: mechanism only. A backend owns weights and KV memory and runs one
 * prefill chunk or one decode step per call, each short (on a CPU under 0.5 s a chunk). What to run, in
 * which order and how far, is policy and belongs to `server/engine`.
 *
 * Calls on one backend never overlap. Every method rejects with `LongviewError`; after `engineCrashed`
 * the backend is gone, after anything else it is usable.
 */
export interface Backend {
  /** Loads weights, converting them once if the backend needs another form. Replaces a loaded model. */
  load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel>;

  /** Starts a sequence with no tokens. At most `LoadedModel.maxSequences` exist at a time. */
  openSequence(request: OpenSequenceRequest): Promise<SequenceId>;

  /** Appends one chunk of prompt tokens to the KV of the sequence; samples when asked to. */
  prefillChunk(request: PrefillChunkRequest): Promise<StepResult>;

  /**
   * Ends the prefill chunk under way within milliseconds: it rejects with `CancelledError`, and the sequence is
   * as it was before. The one call that may overlap another. Absent where a chunk cannot be ended.
   */
  interrupt?(): Promise<void>;

  /** Appends one token and samples the next. */
  decodeStep(request: DecodeStepRequest): Promise<StepResult>;

  /** Forgets all KV past the first `lengthTokens` tokens and starts sampling anew with `sampling`. */
  rewindSequence(request: RewindRequest): Promise<void>;

  closeSequence(sequence: SequenceId): Promise<void>;

  /** Frees everything. The backend is not used afterwards. */
  dispose(): Promise<void>;
}

export type SequenceId = number;

export interface LoadRequest {
  /** Absolute path of the GGUF file, verified by the caller. */
  modelPath: string;
  /** Identity of the weights: sha256 of the file, hex. Keys every cache made from them. */
  modelSha256: string;
  /** Where converted weights may be kept; absolute. */
  cacheDir: string;
  device: DeviceChoice;
  attention: AttentionChoice;
  /** Longest sequence, prompt and answer together. */
  contextTokens: number;
  /** How many times longer than the trained context YaRN may make it, where `contextTokens` needs that. */
  yarnFactor?: number;
  cpuThreads: number;
  /** MatMul accuracy of the CPU backend: 0 keeps activations in fp32, 4 rounds them to int8 blocks. */
  matmulAccuracy?: 0 | 4;
}

export type LoadProgress = { stage: 'convert' | 'load'; fraction: number };

export interface LoadedModel {
  backend: BackendKind;
  device: string;
  attention: Exclude<AttentionChoice, 'auto'>;
  contextTokens: number;
  vocabSize: number;
  maxSequences: number;
  /** Tokens a prefill chunk should have on this device, so that a call stays short. */
  prefillChunkTokens: number;
  /** Degradations in words, for the TTFT record. */
  notices: string[];
}

export interface OpenSequenceRequest {
  sampling: SamplingOptions;
  /** Ids from here on are never sampled. */
  firstUnusedToken: TokenId;
}

/**
 * How SampleAttention chooses, for every tile of query rows and every head, the key blocks that the tile attends
 * to. Its parts are explained in docs/sample-attention.md.
 */
export interface BlockSelection {
  strategy: SelectionStrategy;
  /** Share of the estimated softmax mass that the chosen blocks hold, from 0 to 1; 1 keeps every block. */
  alpha: number;
  /** Query rows of a tile that are sampled. */
  rowsPerTile: number;
  /** Neighbouring keys that are averaged before they are scored; 1 scores every key. */
  keyPooling: number;
  /** Keys before each row that are always kept, in whole blocks. */
  windowTokens: number;
  /** First keys of the sequence that are always kept, in whole blocks. */
  sinkTokens: number;
}

/** `tileBlocks`: sampled rows of each tile score pooled keys. `window`: nothing but window and sink. */
export type SelectionStrategy = 'tileBlocks' | 'window';

export interface PrefillChunkRequest {
  sequence: SequenceId;
  tokens: Int32Array;
  /** True for the last chunk of a prompt: `StepResult.next` is then present. */
  sample: boolean;
}

export interface DecodeStepRequest {
  sequence: SequenceId;
  token: TokenId;
}

export interface RewindRequest extends OpenSequenceRequest {
  sequence: SequenceId;
  lengthTokens: number;
}

export interface StepResult {
  /** The sampled token, when one was asked for. */
  next?: TokenId;
  /** Time the device worked, in ms. */
  deviceMs: number;
}
