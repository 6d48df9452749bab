import type { Citation, InclusionReport, SymbolLink, SymbolPlace } from './ask';
import type { Attachment } from './attachments';
import type { SecretDecision } from './context';
import type { AttachmentAccount } from './count-attachments';
import type { ErrorCode } from './errors';
import type { Completions, MentionChoice, MentionKind } from './mentions';
import type { TtftRecord } from './metrics';
import type { ModelInfo } from './models';

/**
 * Messages between the extension and the page of its chat view. The extension owns the conversation; the
 * page draws it. Each side checks what it receives: the page may be out of date after an update.
 */

/** `interrupted`: the window was reloaded or closed while the answer was made. */
export type ExchangePhase = 'running' | 'done' | 'stopped' | 'interrupted' | 'failed';

/** What a running exchange waits for, until its first token. */
export type ChatActivity =
  | { kind: 'starting' }
  | { kind: 'queued'; ahead: number }
  | { kind: 'stage'; stage: 'convert' | 'load' | 'pack'; fraction?: number; detail?: string }
  | { kind: 'prefill'; total: number; cached: number; processed: number; etaMs: number }
  | { kind: 'source'; name: string; thirdParty: boolean }
  | { kind: 'download'; receivedBytes: number; totalBytes: number }
  | { kind: 'verify'; fraction: number };

/** A button under a failure or an answer. */
export const CHAT_ACTIONS = [
  'retry',
  'downloadModel',
  'allowThirdParty',
  'useSmallerContext',
  'useCpu',
  'openSettings',
  'openFolder',
  'restartEngine',
  'showLog',
  'allowSecrets',
  'compare',
] as const;
export type ChatAction = (typeof CHAT_ACTIONS)[number];

export interface ChatFailure {
  code: ErrorCode;
  message: string;
  /** One sentence in the imperative. */
  action: string;
  buttons: ChatAction[];
  /** The model that it is about. */
  modelId?: string;
  /** The context that would fit, in tokens. */
  contextTokens?: number;
  /** What would have to be let through. */
  secrets?: SecretDecision;
}

/** One question and what became of it. */
export interface ChatExchange {
  id: string;
  question: string;
  attachments: Attachment[];
  /** Markdown as far as it has arrived. */
  answer: string;
  phase: ExchangePhase;
  /** Only while `running`, before the first token. */
  activity?: ChatActivity;
  citations: Citation[];
  /** Absent in what an older version stored. */
  symbols?: SymbolLink[];
  inclusion?: InclusionReport;
  record?: TtftRecord;
  failure?: ChatFailure;
  /** The answer reached its token limit. */
  truncated?: boolean;
  /** Set where the same prompt is read again with dense attention: the answer that it is compared with. */
  baseline?: ComparedAnswer;
}

/** An answer that was read with sample attention, as it was when it was compared. */
export interface ComparedAnswer {
  /** Of its exchange: the earlier turns are the same. */
  id: string;
  answer: string;
  record: TtftRecord;
}

export interface ChatConversation {
  exchanges: ChatExchange[];
}

/** What the empty view says about the next question. */
export interface ChatWelcome {
  /** Names of the open folders; empty when none is open. */
  folders: string[];
  /** Text files that may be read; absent until they are listed. */
  files?: number;
  /** Absent until the server has answered. */
  model?: Pick<ModelInfo, 'name' | 'state' | 'bytes'>;
  device?: string;
  /** Why no answer is possible now, in words. */
  problem?: string;
}

/** What the next question takes along. */
export interface ChatAttachments {
  attachments: Attachment[];
  /** Absent until it is counted, and where it cannot be, such as without a model. */
  account?: AttachmentAccount;
}

/** From the extension to the page. */
export type ChatHostMessage =
  | ({ kind: 'conversation'; conversation: ChatConversation } & ChatAttachments)
  | { kind: 'exchange'; exchange: ChatExchange }
  | { kind: 'activity'; id: string; activity: ChatActivity }
  /** `offset`: characters of the answer before this piece; a page that has another count asks for `sync`. */
  | { kind: 'text'; id: string; offset: number; text: string }
  | ({ kind: 'attachments' } & ChatAttachments)
  /** The question was not sent; without one, something was not attached. */
  | { kind: 'refused'; question: string; reason: string }
  /** `request` is the number that the page gave. */
  | ({ kind: 'completions'; request: number } & Completions)
  | { kind: 'welcome'; welcome: ChatWelcome }
  | { kind: 'focus' }
  /** Opens the details of this exchange and moves there. */
  | { kind: 'reveal'; id: string };

/** From the page to the extension. */
export type ChatViewMessage =
  | { kind: 'sync' }
  | { kind: 'ask'; question: string }
  | { kind: 'stop' }
  | { kind: 'newChat' }
  | { kind: 'attach' }
  | { kind: 'detach'; index: number }
  /** `any`: whatever is called so. */
  | { kind: 'complete'; request: number; mention: MentionKind | 'any'; query: string }
  | { kind: 'mention'; choice: MentionChoice }
  /** Addresses of files and folders that were dropped on the page. */
  | { kind: 'drop'; uris: string[] }
  /** Text that was pasted and may be paths. */
  | { kind: 'pasted'; text: string }
  | { kind: 'openSymbol'; places: SymbolPlace[] }
  | { kind: 'act'; id: string; action: ChatAction }
  | { kind: 'openPlace'; path: string; startLine: number; endLine: number }
  | { kind: 'openFile'; path: string }
  | { kind: 'openFolder' }
  | { kind: 'copy'; text: string }
  | { kind: 'insert'; text: string };
