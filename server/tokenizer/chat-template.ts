import { randomUUID } from 'node:crypto';
import { Template } from '@huggingface/jinja';
import { LongviewError, messageOf } from '../errors';
import type { GgufValue } from '../models/gguf/gguf-file';

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/**
 * A stretch of a prompt. `template`: written by the model's template, special tokens count. `content`: the
 * text of message `message` (counted from 0), in which special tokens are mere text.
 */
export type PromptSegment =
  | { kind: 'template'; text: string }
  | { kind: 'content'; text: string; message: number };

/** The model's own way of writing a conversation down, from `tokenizer.chat_template`. */
export class ChatTemplate {
  readonly #template: Template;
  /** Texts of the special tokens that templates may name. */
  readonly #globals: Record<string, string>;

  /**
   * @throws LongviewError `modelUnsupported` when the model has no template, or one that fails on or changes an
   * ordinary conversation; `modelCorrupt` when the template cannot be read
   */
  constructor(metadata: ReadonlyMap<string, GgufValue>) {
    const source = metadata.get('tokenizer.chat_template');
    if (typeof source !== 'string') {
      throw unsupportedTemplate('The model file has no chat template, so it cannot hold a conversation.');
    }
    this.#template = parse(source);
    this.#globals = {
      bos_token: tokenText(metadata, 'tokenizer.ggml.bos_token_id'),
      eos_token: tokenText(metadata, 'tokenizer.ggml.eos_token_id'),
    };
    this.#probe();
  }

  /**
   * The prompt for `messages`, cut where message texts begin and end; with `addGenerationPrompt` it ends
   * where the assistant's answer begins. The segments joined are what the template renders.
   * @throws LongviewError `modelUnsupported` when the template fails on these messages, leaves one out or writes
   * one twice
   */
  render(messages: readonly ChatMessage[], options: { addGenerationPrompt: boolean }): PromptSegment[] {
    // Nobody can write a marker into a file beforehand, so that markers are all that is found.
    const secret = randomUUID();
    const markerOf = (message: number) => `{${secret}:${message}}`;
    const marked = messages.map(({ role }, message) => ({ role, content: markerOf(message) }));
    const rendered = this.#run(marked, options.addGenerationPrompt);
    const segments: PromptSegment[] = [];
    let position = 0;
    messages.forEach(({ content }, message) => {
      const marker = markerOf(message);
      const at = rendered.indexOf(marker, position);
      if (at < 0 || rendered.includes(marker, at + marker.length)) {
        throw unsupportedTemplate(
          `The model's chat template does not write message ${message + 1} exactly once and in order.`,
        );
      }
      if (at > position) segments.push({ kind: 'template', text: rendered.slice(position, at) });
      segments.push({ kind: 'content', text: content, message });
      position = at + marker.length;
    });
    if (position < rendered.length) segments.push({ kind: 'template', text: rendered.slice(position) });
    return segments;
  }

  /** A template that rewrites ordinary message texts would make markers come out otherwise than texts. */
  #probe(): void {
    const messages: ChatMessage[] = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What does `a < b` mean?\nAnd "c"?' },
      { role: 'assistant', content: 'a is less.' },
      { role: 'user', content: 'Thanks' },
    ];
    const segments = this.render(messages, { addGenerationPrompt: true });
    if (segments.map(({ text }) => text).join('') !== this.#run(messages, true)) {
      throw unsupportedTemplate("The model's chat template changes the text of messages.");
    }
  }

  #run(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
    try {
      return this.#template.render({
        ...this.#globals,
        messages,
        add_generation_prompt: addGenerationPrompt,
      });
    } catch (error) {
      throw unsupportedTemplate(
        `The model's chat template cannot write this conversation: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }
}

/** Text of the token whose id stands under `key`; empty when there is none. */
function tokenText(metadata: ReadonlyMap<string, GgufValue>, key: string): string {
  const tokens: unknown = metadata.get('tokenizer.ggml.tokens');
  const id = metadata.get(key);
  const text: unknown = Array.isArray(tokens) && typeof id === 'number' ? tokens[id] : undefined;
  return typeof text === 'string' ? text : '';
}

function parse(source: string): Template {
  try {
    return new Template(source);
  } catch (error) {
    throw new LongviewError(
      'modelCorrupt',
      `The chat template in the model file cannot be read: ${messageOf(error)}`,
      'Download the model again or choose another one.',
      undefined,
      { cause: error },
    );
  }
}

function unsupportedTemplate(message: string, options?: ErrorOptions): LongviewError {
  return new LongviewError(
    'modelUnsupported',
    message,
    'Choose an instruction-tuned model of the Qwen2.5 or SmolLM2 family.',
    undefined,
    options,
  );
}
