import type { ChatMessage, PromptSegment } from '../tokenizer/chat-template';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { PromptPart } from './parts';

/** A message whose content is token ids already, in parts that are sent one after the other. */
export interface EncodedMessage {
  role: ChatMessage['role'];
  parts: readonly PromptPart[];
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
   * The conversation up to the point where the answer starts, in parts.
   * @throws LongviewError of the template
   */
  wrap(messages: readonly EncodedMessage[]): PromptPart[] {
    const outline = messages.map(({ role }): ChatMessage => ({ role, content: '' }));
    return this.template.render(outline, { addGenerationPrompt: true }).flatMap((segment) => {
      if (segment.kind === 'content') return [...(messages[segment.message]?.parts ?? [])];
      const ids = this.tokenizer.encode(segment.text, { parseSpecial: true });
      return [{ label: { kind: 'template' } as const, ids, template: segment.text }];
    });
  }
}
