import type {
  AskEvent,
  AskResult,
  Attachment,
  AttachmentAccount,
  AttentionChoice,
  DownloadEvent,
  FindParams,
  FindResult,
  ModelInfo,
  Turn,
} from '../../protocol';

/** One question as the chat asks it; the service adds the options of the settings. */
export interface Question {
  question: string;
  history: Turn[];
  attachments: Attachment[];
  /** In place of the setting. */
  attention?: AttentionChoice;
}

/** What the chat needs of the server. Every call starts the server if it does not run. */
export interface AnswerService {
  /** @throws what the server answered, with `ErrorData` as `data`; when `signal` is aborted, anything. */
  ask(question: Question, onEvent: (event: AskEvent) => void, signal: AbortSignal): Promise<AskResult>;
  /** Counts what a question would take along, with the tokenizer of the model of the settings. */
  countAttachments(
    question: string,
    attachments: Attachment[],
    signal: AbortSignal,
  ): Promise<AttachmentAccount>;
  /** Files, folders and symbols of the workspace by their names. */
  find(params: FindParams, signal: AbortSignal): Promise<FindResult>;
  listModels(): Promise<ModelInfo[]>;
  downloadModel(
    id: string,
    allowThirdParty: boolean,
    onEvent: (event: DownloadEvent) => void,
    signal: AbortSignal,
  ): Promise<void>;
}
