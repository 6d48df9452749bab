import type { GgufFile } from '../../server/models/gguf/gguf-file';
import { fileFence } from '../../server/prompt/format';
import { joinTokens } from '../../server/prompt/parts';
import { QUESTION_LABEL, REMINDER_TEXT, SYSTEM_TEXT } from '../../server/prompt/prompt-text';
import { ChatTemplate } from '../../server/tokenizer/chat-template';
import { tokenizerFromMetadata } from '../../server/tokenizer/from-gguf';
import type { Tokenizer } from '../../server/tokenizer/tokenizer';
import type { SourceFile } from './fetch';
import type { Question } from './planting';

/** Prompts as the product writes them: the files in the system message, the question after them. */
export class PromptWriter {
  readonly tokenizer: Tokenizer;
  private readonly template: ChatTemplate;

  constructor(gguf: GgufFile) {
    this.tokenizer = tokenizerFromMetadata(gguf.metadata);
    this.template = new ChatTemplate(gguf.metadata);
  }

  /** The part that every question about `files` shares: up to the end of the last file. */
  prefix(files: readonly SourceFile[]): Int32Array {
    const [opening = new Int32Array()] = this.around();
    return joinTokens([opening, this.tokenizer.encode(SYSTEM_TEXT), ...files.map((file) => this.file(file))]);
  }

  file({ path, text }: SourceFile): Int32Array {
    const { open, close } = fileFence(path, text);
    return this.tokenizer.encode(open + text + close);
  }

  /** What follows the prefix: the question, and how its answer begins. */
  rest({ text, lead }: Pick<Question, 'text' | 'lead'>): Int32Array {
    const [, between = new Int32Array(), closing = new Int32Array()] = this.around();
    const { tokenizer } = this;
    const question = tokenizer.encode(REMINDER_TEXT + QUESTION_LABEL + text);
    return joinTokens([between, question, closing, tokenizer.encode(lead)]);
  }

  /** The template's own text before, between and after the two messages. */
  private around(): Int32Array[] {
    const messages = [
      { role: 'system', content: '' },
      { role: 'user', content: '' },
    ] as const;
    return this.template
      .render(messages, { addGenerationPrompt: true })
      .filter(({ kind }) => kind === 'template')
      .map(({ text }) => this.tokenizer.encode(text, { parseSpecial: true }));
  }
}
