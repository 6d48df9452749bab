/** What both engines are given. */
export interface Workload {
  modelPath: string;
  modelSha256: string;
  /** Longview's cache folder, for converted weights. */
  cacheDir: string;
  /** Prompt tokens; a size of n takes the first n. */
  ids: Int32Array;
  sizes: number[];
  /** Tokens to decode after the first one, greedily. */
  decodeTokens: number;
  threads: number;
}

/** One prompt: time to its first token, then of the further ones; the tokens chosen. */
export interface Measurement {
  prefillS: number;
  decodeS: number;
  tokens: number[];
}
