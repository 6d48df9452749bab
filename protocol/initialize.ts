/** Raised whenever a message changes shape; both sides refuse another version in words. */
export const PROTOCOL_VERSION = 1;

/** `initializationOptions` of the language server: what cannot change while it runs. */
export interface InitializationOptions {
  protocolVersion: number;
  /** Where models, converted weights and indexes live; absolute. */
  cacheDir: string;
  /** Threads that a CPU backend may use; 0: as many as there are cores. */
  cpuThreads: number;
}
