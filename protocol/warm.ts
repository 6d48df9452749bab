import type { AskOptions } from './ask';
import { notification } from './spec';

export interface WarmPrefixParams {
  enabled: boolean;
  /** Those of the next question, as far as is known. */
  options: AskOptions;
  /** For who knows better, such as a bench: neither battery nor load holds it back. */
  evenWhenBusy?: boolean;
}

/** Sets whether the server computes the repository ahead of questions, and for which model and settings. */
export const WarmPrefix = notification<WarmPrefixParams>('longview/warmPrefix');

/** How far the repository is computed ahead of the next question. */
export interface WarmStatus {
  state: 'computing' | 'waiting' | 'warm';
  /** Of the tokens that all questions have in common. */
  fraction: number;
  /** While `waiting`: for what, in words. */
  reason?: string;
}
