import type { Attachment, ExcerptSource } from './attachments';
import type { AttentionChoice, DeviceChoice, Quality, TtftRecord } from './metrics';
import { request, type StreamParams } from './spec';

/** One earlier message of the conversation. */
export interface Turn {
  role: 'user' | 'assistant';
  text: string;
}

/** How answer tokens are chosen. `temperature` 0 is greedy and ignores the other three numbers. */
export interface SamplingOptions {
  temperature: number;
  topP: number;
  /** 0 keeps all. */
  topK: number;
  /** Fixes the random choice; without it a fresh one is drawn. */
  seed?: number;
  stop: string[];
}

/** The shortest context that a user may set. */
export const LEAST_CONTEXT_TOKENS = 512;

export interface AskOptions {
  /** Catalogue id or absolute path of a GGUF file; absent: the default of the device. */
  model?: string;
  device: DeviceChoice;
  attention: AttentionChoice;
  /** What SampleAttention aims at where it is used. */
  quality: Quality;
  /** Prompt and answer together; absent: the model's default on the device. */
  contextTokens?: number;
  maxAnswerTokens: number;
  sampling: SamplingOptions;
}

export interface AskParams extends StreamParams {
  question: string;
  /** Oldest first. */
  history: Turn[];
  attachments: Attachment[];
  /** Display path of the file in front of the user, if one is. */
  openEditor?: string;
  options: AskOptions;
}

export interface IncludedFile {
  path: string;
  /** Exact tokens this file takes in the prompt, its header included. */
  tokens: number;
  /**
   * Why it is there: everything fits, pinned, part of the base of every prompt, ranked for the question, or attached by
   * hand.
   */
  reason: 'all' | 'pinned' | 'base' | 'ranked' | 'attached';
  /** Where not the whole file is there: the heads of what it defines, or no more than its path. */
  detail?: 'signatures' | 'path';
  /** Found in its text: the user lets them through, or, with `detail`, they are in what is not shown. */
  secrets?: SecretFinding[];
}

/** A secret that a file seems to hold: which rule says so, and in which line. Never the text itself. */
export interface SecretFinding {
  /** Such as `aws` or `github`. */
  rule: string;
  /** Counts from 1. */
  line: number;
}

/** Attached text that is no file of the repository. */
export interface IncludedExcerpt {
  source: ExcerptSource;
  label: string;
  tokens: number;
}

export type ExclusionReason =
  /** It looks as if it held a secret, and the user has not decided yet. */
  | 'secret'
  | 'excludedByHand'
  | 'noRoom'
  | 'binary'
  | 'lockFile'
  | 'generated'
  | 'minified'
  | 'tooLarge'
  | 'notUtf8'
  | 'unreadable'
  | 'empty';

export interface ExcludedFile {
  path: string;
  reason: ExclusionReason;
  secrets?: SecretFinding[];
}

/** Exactly what of the repository is in the prompt, and what is not. */
export interface InclusionReport {
  /** Files in the manifest. */
  totalFiles: number;
  included: IncludedFile[];
  /** What else was attached. */
  excerpts: IncludedExcerpt[];
  /** Every file left out, at most `EXCLUDED_LIST_LIMIT` of them listed; the counts are always complete. */
  excluded: ExcludedFile[];
  excludedByReason: Partial<Record<ExclusionReason, number>>;
  /** Tokens of all included files together. */
  fileTokens: number;
  /** Tokens the prompt may have at most. */
  budgetTokens: number;
  promptTokens: number;
  /**
   * Files that were edited since the repository was read by the model: their text now stands behind it, marked as the
   * one that holds, until it is read again.
   */
  newerVersions: string[];
  /** Pinned files that are not there whole, since they do not fit. */
  pinsWithoutRoom: string[];
  /** Tokens of earlier turns. */
  historyTokens: number;
  /** Earlier turns that no longer fit and were left out. */
  droppedTurns: number;
  /** Earlier turns whose middle no longer fits and was left out. */
  shortenedTurns: number;
}

/** The report without its lists. */
export type InclusionSummary = Omit<InclusionReport, 'included' | 'excluded'>;

export const EXCLUDED_LIST_LIMIT = 5000;

/** A place in the repository that the answer speaks of. Lines count from 1; both ends are included. */
export interface Citation {
  path: string;
  startLine: number;
  endLine: number;
  /** True when those lines, as packed, hold the claimed symbol or quote. */
  verified: boolean;
  /** `written`: the answer names the place. `quote`, `symbol`: derived from text or a name in the answer. */
  origin: 'written' | 'quote' | 'symbol';
  /** The symbol or quote that was looked for; empty when the answer gave a bare place. */
  claim: string;
}

/** A name in backticks in the answer, and where the repository defines it: one place, or a few of that name. */
export interface SymbolLink {
  /** As the answer writes it. */
  name: string;
  places: SymbolPlace[];
}

export interface SymbolPlace {
  path: string;
  /** From 1. */
  line: number;
  /** The name that stands there: of `a.b()`, `b`. */
  symbol: string;
}

/** Streamed while an answer is made. `seq` counts from 0 without gaps. */
export type AskEvent = { seq: number } & (
  | { kind: 'queued'; ahead: number }
  | { kind: 'stage'; stage: 'convert' | 'load' | 'pack'; fraction?: number; detail?: string }
  | { kind: 'packed'; inclusion: InclusionReport }
  | { kind: 'prefill'; total: number; cached: number; processed: number; ms: number; etaMs: number }
  | { kind: 'token'; text: string }
  | { kind: 'done'; record: TtftRecord }
);

export type StopReason = 'endOfTurn' | 'stopSequence' | 'maxTokens' | 'cancelled';

export interface AskResult {
  answer: string;
  citations: Citation[];
  /** Definitions of names in the answer, checked when it was complete. */
  symbols: SymbolLink[];
  inclusion: InclusionReport;
  stopReason: StopReason;
  record: TtftRecord;
}

/** Answers one question about the synced workspace. Cancelled with `$/cancelRequest`. */
export const Ask = request<AskParams, AskResult, AskEvent>('longview/ask');
