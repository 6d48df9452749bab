import type { Attachment, Turn } from '../../protocol';
import type { ChatFrame, EncodedMessage } from './chat-frame';
import { excerptFence, fileFence, onOneLine } from './format';
import { historyWithin, type KeptHistory } from './history';
import { type Changes, NO_CHANGES, orderMessages, type PromptParts } from './order';
import { countTokens, type PromptPart } from './parts';
import { NO_PATHS } from './path-list';
import { openEditorText } from './prompt-text';

export type Selection = Extract<Attachment, { kind: 'selection' }>;
export type Excerpt = Extract<Attachment, { kind: 'excerpt' }>;

export interface LayoutInput {
  question: string;
  /** Oldest first. */
  history: readonly Turn[];
  /** The file in front of the user, if one is. */
  openEditor?: string | undefined;
  selections: readonly Selection[];
  excerpts: readonly Excerpt[];
  /** Files, folders and symbols that the user named, in words. */
  subjects: readonly string[];
  encode: (text: string) => Int32Array;
  frame: ChatFrame;
}

/** What is chosen for a prompt; the rest of it is given. */
export type Chosen = Partial<Omit<PromptParts, 'attachments' | 'question'>>;

/** A prompt as a function of what is chosen, and the cost of each choice in tokens. */
export class Layout {
  private readonly attachments: string[];
  private readonly encoded = new Map<string, Int32Array>();

  constructor(private readonly input: LayoutInput) {
    const { openEditor, selections, excerpts, subjects } = input;
    this.attachments = [
      ...(openEditor === undefined ? [] : [openEditorText(openEditor)]),
      ...selections.map(selectionText),
      ...excerpts.map(excerptText),
      ...(subjects.length === 0 ? [] : [`The question is about: ${subjects.map(onOneLine).join(', ')}\n\n`]),
    ];
  }

  /** Tokens of what every prompt has: instructions and template. */
  get fixedTokens(): number {
    return countTokens(this.assemble({}, [], ''));
  }

  /** Tokens of everything but files and earlier turns. */
  get ownTokens(): number {
    return countTokens(this.parts({}));
  }

  parts(chosen: Chosen): PromptPart[] {
    return this.assemble(chosen, this.attachments, this.input.question);
  }

  /** What newer versions of files add to a prompt. */
  changeTokens(changes: Changes): number {
    return countTokens(this.parts({ changes })) - this.ownTokens;
  }

  historyWithin(roomTokens: number): KeptHistory {
    const { history } = this.input;
    const none = this.ownTokens;
    const cost = (messages: readonly EncodedMessage[]): number =>
      countTokens(this.parts({ history: messages })) - none;
    return historyWithin({ history, encode: this.encode, cost }, roomTokens);
  }

  readonly encode = (text: string): Int32Array => {
    const known = this.encoded.get(text);
    if (known) return known;
    const ids = this.input.encode(text);
    this.encoded.set(text, ids);
    return ids;
  };

  private assemble(chosen: Chosen, attachments: readonly string[], question: string): PromptPart[] {
    const parts: PromptParts = {
      outline: '',
      base: [],
      history: [],
      changes: NO_CHANGES,
      paths: NO_PATHS,
      ranked: [],
      ...chosen,
      attachments,
      question,
    };
    return this.input.frame.wrap(orderMessages(parts, this.encode));
  }
}

export function selectionText({ path, startLine, endLine, text }: Selection): string {
  const fence = fileFence(path, text, { lines: { start: startLine, end: endLine } });
  return `${fence.open}${text}${fence.close}\n`;
}

export function excerptText({ source, label, text }: Excerpt): string {
  const fence = excerptFence(source, label, text);
  return `${fence.open}${text}${fence.close}\n`;
}
