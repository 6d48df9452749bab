import type { AskOptions, ExclusionReason, IncludedFile, InclusionSummary, SecretFinding, Turn } from './ask';
import type { Attachment } from './attachments';
import { notification, request } from './spec';

/**
 * What the user decided about what the model sees. Paths are those by which questions name files; one that ends in
 * `/` is a folder with all that is below it. Where several hold for a file, the longest does.
 */
export interface ContextChoices {
  /** These come whole, before anything is ranked, as long as they fit. */
  pinned: string[];
  excluded: string[];
  allowedSecrets: SecretDecision[];
  /** Nothing is held back for what looks like a secret. */
  allowAllSecrets?: boolean;
}

export const NO_CHOICES: ContextChoices = { pinned: [], excluded: [], allowedSecrets: [] };

/** The file may be sent although these rules found secrets in it; a rule stands once for each. Another secret asks again. */
export interface SecretDecision {
  path: string;
  rules: string[];
}

/** Sets what the user decided, in place of what was set before. */
export const SetContextChoices = notification<ContextChoices>('longview/context/choices');

/** What a prompt is made of. The tokens of all parts add up to `promptTokens`. */
export type ContextPart =
  /** With the model's own template. */
  'instructions' | 'tree' | 'files' | 'history' | 'attachments' | 'question';

/** A prompt in figures: the one that was last asked, or what the next one would have before its question is known. */
export interface ContextAccount {
  /** Names it in `ListContextFolder` and `GetPromptText`, until another of its kind takes its place. */
  id: number;
  of: 'next' | 'asked';
  /** The model's window: prompt and answer together. */
  contextTokens: number;
  /** Tokens the prompt may have at most. */
  budgetTokens: number;
  promptTokens: number;
  parts: { part: ContextPart; tokens: number }[];
  /** The lists of the report are behind `ListContextFolder`. */
  inclusion: InclusionSummary;
  files: FileCounts;
  /** Held back until the user decides; by path. */
  heldBack: { path: string; secrets: SecretFinding[] }[];
}

/** How many files are there in which detail. */
export interface FileCounts {
  whole: number;
  signatures: number;
  path: number;
  excluded: number;
}

/** How a file is in the prompt, or that it is not. */
export type FileState = keyof FileCounts;

export interface ContextFile {
  kind: 'file';
  path: string;
  /** 0 where it is excluded. */
  tokens: number;
  state: FileState;
  reason: IncludedFile['reason'] | ExclusionReason;
  secrets?: SecretFinding[];
}

export interface ContextFolder {
  kind: 'folder';
  /** Ends in `/`. */
  path: string;
  /** Of all files below. */
  tokens: number;
  files: FileCounts;
}

export type ContextEntry = ContextFolder | ContextFile;

/** A folder with very many files shows so many, those that are in the prompt first. */
export const FOLDER_LIST_LIMIT = 1000;

export interface InspectContextParams {
  /** Of the conversation that would go on; oldest first. */
  history: Turn[];
  attachments: Attachment[];
  /** Display path of the file in front of the user, if one is. */
  openEditor?: string;
  options: AskOptions;
}

/** Accounts for the prompt of the next question: everything but the question and the files that rank for it. */
export const InspectContext = request<InspectContextParams, ContextAccount>('longview/context/inspect');

/** The account of the prompt that was last packed for a question; null before the first one. */
export const AskedContext = request<Record<string, never>, { account: ContextAccount | null }>(
  'longview/context/asked',
);

export interface ListContextFolderParams {
  /** Of an account. */
  id: number;
  /** Ends in `/`; empty: everything. */
  folder: string;
}

export interface ContextFolderList {
  /** Folders first; files by their tokens. */
  entries: ContextEntry[];
  /** Entries beyond `FOLDER_LIST_LIMIT`. */
  more: number;
}

/** What lies directly in a folder. */
export const ListContextFolder = request<ListContextFolderParams, ContextFolderList>(
  'longview/context/folder',
);

/** A part of a prompt as text: exactly what its tokens say. */
export interface PromptPartText {
  part: ContextPart | 'template';
  /** Of a file. */
  path?: string;
  tokens: number;
  /** Each was turned into tokens by itself; those of the template with its special tokens. */
  pieces: string[];
}

/** The whole prompt of an account, token for token. */
export const GetPromptText = request<{ id: number }, { parts: PromptPartText[] }>('longview/context/prompt');

/** What the next prompt would hold may have changed. Sent some time after the last change. */
export const DidChangeContext = notification<Record<string, never>>('longview/context/didChange');
