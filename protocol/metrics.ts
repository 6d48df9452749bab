export type BackendKind = 'onnx' | 'cuda';
export type AttentionChoice = 'auto' | 'dense' | 'sample';
/** How closely SampleAttention follows dense attention; docs/sample-attention.md has the measured figures. */
export type Quality = 'fast' | 'balanced';
/** How prefill on a GPU multiplies: `fp8` is faster and less exact. */
export type PrefillPrecision = 'bf16' | 'fp8';
export type DeviceChoice = 'auto' | 'cpu' | 'cuda';
/** A device that a model runs on. */
export type Device = Exclude<DeviceChoice, 'auto'>;

/** Wall time of each stage before the first token, in ms. Together they make up `ttftMs`. */
export interface StagesMs {
  /** Waiting for other generations. */
  queue: number;
  /** Starting the engine host and loading the model; 0 when it was loaded. */
  load: number;
  /** Reading, ranking and packing the repository, tokenizing included. */
  context: number;
  /** Part of `context` spent in the tokenizer. */
  tokenize: number;
  /** All prefill chunks. */
  prefill: number;
  /** From the end of prefill to the first token's text. */
  firstToken: number;
}

/** Time that the device spent on a prompt, by kind of kernel, in ms. */
export interface KernelsMs {
  /** Attention to earlier tokens; with `sample`, choosing the key blocks included. */
  attention: number;
  /** Products of the linear layers, and what is small beside them. */
  other: number;
}

/** How SampleAttention read the prompt. */
export interface SparseFigures {
  /** How the key blocks were chosen. */
  strategy: string;
  quality: Quality;
  /** Share of the key blocks that dense attention would have read, over the part that was computed; 0 to 1. */
  density: number;
}

/** What one answer cost: the record behind the status bar, the tooltip and `--json`. */
export interface TtftRecord {
  /** From the arrival of the question at the server to the first token, in ms. */
  ttftMs: number;
  stagesMs: StagesMs;
  /** Of the prefill; absent where the device does not tell. */
  prefillKernelsMs?: KernelsMs;
  /** Exact length of the prompt in the model's own tokens. */
  promptTokens: number;
  /** Prompt tokens whose KV was reused instead of computed. */
  cachedTokens: number;
  /** Where the last reused token came from: the device, or a stored copy. */
  cacheSource: 'device' | 'memory' | 'disk' | 'none';
  /** Why a part of the repository was read again, in words; absent when only what belongs to the question was. */
  cacheMiss?: string;
  answerTokens: number;
  /** Tokens a second after the first one; 0 for answers of one token. */
  decodeTokensPerSecond: number;
  /** Tokens a second over the uncached part of the prompt. */
  prefillTokensPerSecond: number;
  contextTokens: number;
  model: string;
  backend: BackendKind;
  /** The device in words, such as `CPU (2 threads)`. */
  device: string;
  attention: Exclude<AttentionChoice, 'auto'>;
  /** With `sample` attention. */
  sparse?: SparseFigures;
  /** On a GPU: how the linear layers multiplied the prompt. KV of one precision is never reused under another. */
  prefillPrecision?: PrefillPrecision;
  /** Everything that was done in a lesser way than asked or possible, in words; empty when nothing was. */
  notices: string[];
}
