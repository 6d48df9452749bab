import type {
  Attachment,
  AttachmentAccount,
  Citation,
  ContextAccount,
  ContextChoices,
  ContextFolderList,
  FindParams,
  FindResult,
  InclusionReport,
  ManifestSyncParams,
  ManifestSyncResult,
  OverlayParams,
  PromptPartText,
  SymbolLink,
  Turn,
} from '../../protocol';
import type { PromptSpan } from '../prompt/parts';
import type { TokenTableData } from '../tokenizer/token-table';

/**
 * From a manifest and a question to the exact token ids of a prompt. Owns the file list, the unsaved text,
 * the per-file token cache and the ranking index; runs in a worker thread so that the server never blocks.
 */
export interface ContextService {
  sync(params: ManifestSyncParams): Promise<ManifestSyncResult>;
  overlay(params: OverlayParams): Promise<void>;

  /** What the user decided about files; holds for everything that is packed from now on. */
  choose(choices: ContextChoices): Promise<void>;

  /**
   * Reads, tokenizes, ranks and packs. Aborting `signal` rejects with `CancelledError`.
   * @throws LongviewError `noWorkspace`, `promptTooLong`, `modelCorrupt`, `modelUnsupported`
   */
  pack(
    request: PackRequest,
    onProgress: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<PackedPrompt>;

  /**
   * The base of every prompt with this model and budget: what is worth computing before a question comes. No
   * report and no citations come of it, and there is nothing to release.
   * @throws as `pack` does
   */
  packBase(request: BaseRequest, signal: AbortSignal): Promise<PackedBase>;

  /**
   * Packs everything but a question, and the files that would rank for it, and accounts for it.
   * @throws as `pack` does
   */
  inspect(request: InspectRequest, signal: AbortSignal): Promise<ContextAccount>;

  /** The account of what `pack` packed last; null before that. */
  asked(): Promise<ContextAccount | null>;

  /**
   * What lies directly in a folder of an account.
   * @throws LongviewError `badRequest` when the account is not kept any more
   */
  folder(id: number, folder: string): Promise<ContextFolderList>;

  /**
   * The prompt of an account as text, token for token.
   * @throws LongviewError `badRequest` when the account is not kept any more
   */
  promptText(id: number): Promise<PromptPartText[]>;

  /**
   * Counts attachments as `pack` would put them into a prompt. One that cannot be attached is a count, not an error.
   * @throws as `pack` does
   */
  countAttachments(request: CountRequest, signal: AbortSignal): Promise<AttachmentAccount>;

  /** Finds files, folders and symbols of the workspace. */
  find(params: FindParams, signal: AbortSignal): Promise<FindResult>;

  /**
   * Finds and checks the places that `answer` speaks of, against the text that was packed, and where the names in it are
   * defined.
   */
  cite(packId: number, answer: string): Promise<Cited>;

  /** Lets go of the packed text kept for `cite`. */
  release(packId: number): void;

  /**
   * The vocabulary of a model as flat data, for the thread that streams its answers.
   * @throws LongviewError `modelMissing`, `modelCorrupt`, `modelUnsupported`
   */
  tokenTable(modelPath: string): Promise<TokenTableData>;

  dispose(): Promise<void>;
}

export interface Cited {
  citations: Citation[];
  symbols: SymbolLink[];
}

export type CountRequest = Pick<
  PackRequest,
  'question' | 'attachments' | 'openEditor' | 'modelPath' | 'budgetTokens'
>;

export interface BaseRequest {
  modelPath: string;
  budgetTokens: number;
}

export interface PackedBase {
  packId: number;
  tokenIds: Int32Array;
  /** What the tokens are, by the token at which each part starts. */
  spans: PromptSpan[];
}

export interface PackRequest {
  question: string;
  history: Turn[];
  attachments: Attachment[];
  /** Display path of the file in front of the user, if one is. */
  openEditor?: string;
  /** Tokens of the prompts whose KV the device holds: a prompt that goes on from one of them is sooner answered. */
  held?: Int32Array[];
  /** GGUF file whose tokenizer and chat template are used. */
  modelPath: string;
  /** Tokens that the prompt may have at most. */
  budgetTokens: number;
  /** Prompt and answer together, which the account says; absent: as many as the prompt may have. */
  contextTokens?: number;
}

export type InspectRequest = Omit<PackRequest, 'question'>;

export interface PackedPrompt extends PackedBase {
  inclusion: InclusionReport;
  tokenizeMs: number;
  /** Languages whose grammar could not be loaded, where the prompt shows files by signatures; with the reason. */
  brokenGrammars?: BrokenGrammar[];
}

export interface BrokenGrammar {
  grammar: string;
  reason: string;
}
