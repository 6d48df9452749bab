import type { RestoreComparison } from './restore-choice';

/** Why a prompt was not reused any further than it was. */
export type MissReason =
  /** No prompt was computed since the model was loaded. */
  | 'loaded'
  /** What was kept of it had to make room for other prompts. */
  | 'evicted'
  /** It was kept, but made with another attention. */
  | 'attention'
  /** The stored copy turned out to be damaged. */
  | 'damaged'
  /** No prompt before it went on like this. */
  | 'changed';

/** What of a prompt was there already, and what ended it. */
export interface CacheReport {
  /** Leading prompt tokens whose KV was reused. */
  cachedTokens: number;
  /** Where the last of them came from: the device, or a copy that was brought back. */
  source: 'device' | 'memory' | 'disk' | 'none';
  reason: MissReason;
  /** More is kept beside the device, but computing it is sooner than bringing it back: what told so. */
  slower?: RestoreComparison;
  /** Tokens whose KV is here, but made with another attention: they are not reused. */
  tokensReadAnew: number;
  /** The prompt that it was compared with: the one that shares most with it, if any shares something. */
  comparedWith?: number;
}
