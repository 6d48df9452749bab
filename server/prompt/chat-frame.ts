import type { ChatMessage, PromptSegment } from '../tokenizer/chat-template';
import type { Tokenizer } from '../tokenizer/tokenizer';

/** A message whose content is token ids already, in pieces that are sent one after the other. */
export interface EncodedMessage {
  role: ChatMessage['role'];
  parts: readonly Int32Array[];
}

/** What is needed of a model's chat template. */
export interface ChatRenderer {
  render(messages: readonly ChatMessage[], options: { addGenerationPrompt: boolean }): PromptSegment[];
}

/**
 * Puts a model's chat template around messages that are token ids already. Content never passes the
 * template as text, so nothing that it holds can act as a special token.
 */
export class ChatFrame {
  constructor(
    private readonly template: ChatRenderer,
    private readonly tokenizer: Tokenizer,
  ) {}

  /**
   * Token ids of the conversation up to the point where the answer starts, in pieces.
   * @throws LongviewError of the template
   */
  wrap(messages: readonly EncodedMessage[]): Int32Array[] {
    const outline = messages.map(({ role }): ChatMessage => ({ role, content: '' }));
    return this.template.render(outline, { addGenerationPrompt: true }).flatMap((segment) => {
      if (segment.kind === 'content') return [...(messages[segment.message]?.parts ?? [])];
      return [this.tokenizer.encode(segment.text, { parseSpecial: true })];
    });
  }
}

export function countTokens(pieces: readonly Int32Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** All pieces as one array. */
export function joinTokens(pieces: readonly Int32Array[]): Int32Array {
  const joined = new Int32Array(countTokens(pieces));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
