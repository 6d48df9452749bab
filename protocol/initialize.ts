import type { PrefillPrecision } from './metrics';

/** Raised whenever a message changes shape; both sides refuse another version in words. */
export const PROTOCOL_VERSION = 2;

/** `initializationOptions` of the language server: what cannot change while it runs. */
export interface InitializationOptions {
  protocolVersion: number;
  /** Where models, converted weights and indexes live; absolute. */
  cacheDir: string;
  /** Threads that a CPU backend may use; 0: as many as there are cores. */
  cpuThreads: number;
  /** What computed prompts may take on disk; absent or 0: nothing is written. */
  prefixCacheBytes?: number;
  /** Number of the NVIDIA GPU to use, as its driver counts from 0; absent: the first that can be used. */
  gpu?: number;
  /** Absent: bf16. */
  prefillPrecision?: PrefillPrecision;
  /** The model is let go, and its memory with it, when nobody has asked for so long; absent or 0: never. */
  idleUnloadMinutes?: number;
}
