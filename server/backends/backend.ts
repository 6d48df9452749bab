import type {
  AttentionChoice,
  BackendKind,
  DeviceChoice,
  PrefillPrecision,
  SamplingOptions,
} from '../../protocol';
import type { ModelSpec } from '../models/model-spec';
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

  /**
   * Appends one chunk of prompt tokens to the KV of the sequence; samples when asked to.
   *
   * @param onShare told now and then how much of the chunk is done, between 0 and 1 and never less than before, where
   * the device knows: layer by layer
   */
  prefillChunk(request: PrefillChunkRequest, onShare?: (share: number) => void): Promise<StepResult>;

  /**
   * Ends the prefill chunk under way within milliseconds: it rejects with `CancelledError`, and the sequence is
   * as it was before. The one call that may overlap another. Absent where a chunk cannot be ended.
   */
  interrupt?(): Promise<void>;

  /** Appends one token and samples the next. */
  decodeStep(request: DecodeStepRequest): Promise<StepResult>;

  /** Forgets all KV past the first `lengthTokens` tokens and starts sampling anew with `sampling`. */
  rewindSequence(request: RewindRequest): Promise<void>;

  /**
   * A new sequence that starts with the KV of the first `lengthTokens` tokens of `sequence`, which stays as it is.
   * Costs no computing; where the device can, no memory either until one of the two goes on.
   */
  forkSequence(request: RewindRequest): Promise<SequenceId>;

  closeSequence(sequence: SequenceId): Promise<void>;

  /** Frees everything. The backend is not used afterwards. */
  dispose(): Promise<void>;
}

/**
 * A backend with a place for KV beside the device: in memory, then on disk. A block is `LoadedModel.kvBlockTokens`
 * tokens and goes by the hash of everything that its KV depends on: the caller's to make.
 */
export interface StoringBackend extends Backend {
  /** How many of these blocks are kept, from the first on. */
  countStoredKv(blocks: string[]): Promise<number>;

  /** What was told of a block on disk when it was kept: `StoreKvRequest.computeMs`. Undefined where nothing was. */
  storedKvCost(block: string): Promise<number | undefined>;

  /** Keeps a block that a sequence holds. */
  storeKv(request: StoreKvRequest): Promise<StoredKv>;

  /** Appends a block that is kept to a sequence; nothing happens where it is not there any more, or damaged. */
  restoreKv(request: RestoreKvRequest): Promise<RestoredKv>;

  /** Forgets all that is kept in this folder, also from earlier runs; returns how many bytes were on disk. */
  purgeKv(cacheDir: string): Promise<number>;
}

export interface StoreKvRequest {
  sequence: SequenceId;
  block: string;
  /** A multiple of `tokens`. */
  startToken: number;
  /** `LoadedModel.kvBlockTokens`. */
  tokens: number;
  /** What computing the sequence took up to the end of the block, in ms; absent where nobody knows. */
  computeMs?: number;
}

export interface StoredKv {
  /** Why it is kept in memory only, and nothing more is written. */
  diskFailure?: string;
}

export interface RestoreKvRequest extends Omit<StoreKvRequest, 'computeMs'> {
  /** The blocks that are asked for next. */
  following: string[];
}

export type RestoredKv = { source: 'memory' | 'disk' } | { missing: 'absent' | 'damaged' | 'otherVersion' };

export interface KvStoreLimits {
  memoryBytes: number;
  /** 0: nothing is written. */
  diskBytes: number;
}

/** A backend that owns a device, in the process of the device. */
export interface DeviceBackend extends Backend {
  /** KV as bytes, in a form of the device's own. The tokens lie in one block of `LoadedModel.kvBlockTokens`. */
  exportKv(request: ExportKvRequest): Promise<Uint8Array>;

  /**
   * Appends KV that `exportKv` gave. The caller knows that it was made from the tokens of this place by the same
   * model on the same kind of device with the same settings.
   */
  importKv(request: ImportKvRequest): Promise<void>;
}

export type SequenceId = number;

export interface ExportKvRequest {
  sequence: SequenceId;
  /** A multiple of `LoadedModel.kvBlockTokens`. */
  startToken: number;
  /** At most `LoadedModel.kvBlockTokens`. */
  tokens: number;
}

export interface ImportKvRequest {
  /** Its length is a multiple of `LoadedModel.kvBlockTokens`. */
  sequence: SequenceId;
  tokens: number;
  kv: Uint8Array;
}

export interface LoadRequest {
  /** Absolute path of the GGUF file, verified by the caller. */
  modelPath: string;
  /** Identity of the weights: sha256 of the file, hex. Keys every cache made from them. */
  modelSha256: string;
  /** Where converted weights may be kept; absolute. */
  cacheDir: string;
  device: DeviceChoice;
  /** What was asked for: a device that lacks it refuses before it loads anything. What runs is told chunk by chunk. */
  attention: AttentionChoice;
  /** Longest sequence, prompt and answer together. */
  contextTokens: number;
  /** How many times longer than the trained context YaRN may make it, where `contextTokens` needs that. */
  yarnFactor?: number;
  cpuThreads: number;
  /** What may be kept of KV beside the device; absent: nothing. */
  kvStore?: KvStoreLimits;
  /** The NVIDIA GPU to use, as its driver counts from 0; absent: the first that can be used. */
  gpu?: number;
  /** MatMul accuracy of the CPU backend: 0 keeps activations in fp32, 4 rounds them to int8 blocks. */
  matmulAccuracy?: 0 | 4;
  /** Of a GPU; absent: bf16. `fp8` multiplies weights and activations rounded to e4m3. */
  prefillPrecision?: PrefillPrecision;
}

export type LoadProgress = { stage: 'convert' | 'load'; fraction: number };

export interface LoadedModel {
  backend: BackendKind;
  device: string;
  /** Why chunks cannot be `sparse` here, in words; absent where they can. */
  sampleUnavailable?: string;
  /** What the choice of attention for each head follows; absent where there is no such choice. */
  spec?: Pick<ModelSpec, 'name' | 'layerCount' | 'headCount'>;
  contextTokens: number;
  vocabSize: number;
  maxSequences: number;
  /** Tokens a prefill chunk should have on this device, so that a call stays short. */
  prefillChunkTokens: number;
  /** The same for a chunk that a question may have to wait for. */
  backgroundChunkTokens: number;
  /** Tokens whose KV the device holds, of all sequences together. */
  kvPoolTokens: number;
  /** KV memory is handed out, and KV copied, in blocks of this many tokens. */
  kvBlockTokens: number;
  /** How prefill multiplies; absent where that is the model file's matter. */
  prefillPrecision?: PrefillPrecision;
  /** Degradations in words, for the TTFT record. */
  notices: string[];
}

export interface OpenSequenceRequest {
  sampling: SamplingOptions;
  /** Ids from here on are never sampled. */
  firstUnusedToken: TokenId;
}

/** SampleAttention for a prefill chunk. */
export interface SparsePrefill {
  selection: BlockSelection;
  /** Rows from this position of the sequence on read every key. */
  denseFromToken: number;
}

/**
 * How SampleAttention chooses the blocks of 64 keys that a head attends to, beside the blocks of the rows' own
 * positions. docs/sample-attention.md explains each strategy and each part.
 */
export type BlockSelection = TileSelection | StripSelection | ColumnSelection;

/** What every strategy has. */
export interface SelectionBasics {
  /** Neighbouring keys that are averaged before they are scored. */
  pooledKeys: PooledKeys;
  /** Share of the estimated attention mass that the chosen blocks reach: 1 keeps every block, 0 what is kept anyway. */
  alpha: number;
  /** Whether the mass of what is kept anyway counts towards `alpha`. */
  countForcedMass: boolean;
  /** First blocks of the sequence, always kept. */
  sinkBlocks: number;
  /** Keys before a tile of 128 rows, always kept, in whole blocks. */
  windowTokens: number;
}

/** For every tile of 128 query rows by itself: chunks change nothing. The product's strategy. */
export interface TileSelection extends SelectionBasics {
  strategy: 'tiles';
  /** Query rows of a tile that are sampled. */
  sampledRows: 8 | 16 | 32;
  /** What the sampled rows of a tile make of their shares of a block. */
  score: 'mean' | 'maximum';
  /** Least and most blocks of a tile; 0: no bound. */
  minBlocks: number;
  maxBlocks: number;
  /** A tile that would keep more than this share of its visible blocks keeps them all; 1: never. */
  denseAbove: number;
  /** In place of `alpha`: one for each query head, layer by layer. */
  headAlpha?: readonly number[];
}

/** Columns and diagonals of each chunk, as SampleAttention v3: for comparison. */
export interface StripSelection extends SelectionBasics {
  strategy: 'strips';
  segmentTokens: number;
  alphaSlashes: number;
}

/** Columns and a window of each chunk, as SampleAttention v1 and v2: for comparison. */
export interface ColumnSelection extends SelectionBasics {
  strategy: 'columns';
  /** One query in so many is sampled. */
  rowStep: number;
  /** The window as a share of the sequence so far, where that is more than `windowTokens`. */
  windowShare: number;
}

/** 1: every key is scored itself. */
export type PooledKeys = 1 | 4 | 8 | 16;

export interface PrefillChunkRequest {
  sequence: SequenceId;
  tokens: Int32Array;
  /**
   * Absent: dense attention. With it the chunk starts at a multiple of 128 tokens, and everything before it was
   * prefilled with the same selection.
   */
  sparse?: SparsePrefill;
  /** True for the last chunk of a prompt: `StepResult.next` is then present. */
  sample: boolean;
}

export interface DecodeStepRequest {
  sequence: SequenceId;
  token: TokenId;
  /**
   * The next call is most likely the step that appends the token chosen here: a device may begin it at once, so
   * that it does not wait for the way back and forth. It never changes what any call gives. Absent: false.
   */
  continues?: boolean;
}

export interface RewindRequest extends OpenSequenceRequest {
  sequence: SequenceId;
  lengthTokens: number;
}

export interface StepResult {
  /** The sampled token, when one was asked for. */
  next?: TokenId;
  /** Of a sparse chunk. */
  blocks?: BlockCounts;
  /** Time the device worked, in ms. */
  deviceMs: number;
  /** Part of `deviceMs` that went into attention, of a prefill chunk; absent where the device does not tell. */
  attentionMs?: number;
  /** Part of `attentionMs` that went into choosing key blocks, of a sparse chunk. */
  selectionMs?: number;
}

/** Key blocks summed over all layers, heads and query tiles of a chunk: what was attended to, and what dense would. */
export interface BlockCounts {
  kept: number;
  visible: number;
}
