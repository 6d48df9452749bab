import type { AskOptions, ExcludedFile } from './ask';
import type { Attachment } from './attachments';
import { request } from './spec';

/** What one attachment takes of the prompt, or why it cannot be attached. */
export type AttachmentCount =
  | {
      /** Exact, with everything around the text; the same as in the inclusion report. */
      tokens: number;
      /** Set where counting ended since it is far more than fits: there are more tokens than that. */
      isLeast?: boolean;
      /** Of a folder: how many files are attached. */
      files?: number;
      /** Of a folder: files that cannot be attached, and why. */
      leftOut?: ExcludedFile[];
    }
  | { problem: string };

/** Whether a question with its attachments fits, in tokens of the model that would answer. */
export interface AttachmentAccount {
  /** In the order of the attachments. */
  counts: AttachmentCount[];
  /** What the prompt needs at least: instructions, question and everything attached. */
  neededTokens: number;
  /** What it may have. The question is refused when it needs more. */
  budgetTokens: number;
}

export interface CountAttachmentsParams {
  question: string;
  attachments: Attachment[];
  /** Display path of the file in front of the user, if one is. */
  openEditor?: string;
  options: AskOptions;
}

/** Counts attachments with the tokenizer of the model that would answer; nothing is computed. */
export const CountAttachments = request<CountAttachmentsParams, AttachmentAccount>(
  'longview/attachments/count',
);
