import { z } from 'zod';
import type { GgufValue } from '../gguf/gguf-file';
import { modelCorrupt, modelUnsupported } from '../model-errors';

const ANOTHER = 'Use a checkpoint of the Qwen2.5 or SmolLM2 family, or a GGUF file.';

/** `tokenizer.ggml.token_type`. */
const NORMAL = 1;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

const AddedToken = z.object({ id: z.int().nonnegative(), content: z.string(), special: z.boolean() });

const Tokenizer = z.looseObject({
  model: z.looseObject({
    type: z.string(),
    vocab: z.record(z.string(), z.int().nonnegative()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
  added_tokens: z.array(AddedToken).default([]),
  pre_tokenizer: z.unknown().optional(),
});

const SpecialToken = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();
const Template = z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]);

const TokenizerConfig = z.looseObject({
  eos_token: SpecialToken,
  bos_token: SpecialToken,
  chat_template: Template.nullish(),
});

/** Patterns by which texts are cut, and what llama.cpp calls them. */
const PRE_TOKENIZERS: readonly [name: string, mark: string][] = [
  [
    'qwen2',
    String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  ],
];

/** The files of a tokenizer, parsed. */
export interface HfTokenizerFiles {
  tokenizer: unknown;
  config: unknown;
  /** `chat_template.jinja`, where there is one. */
  template?: string;
}

/**
 * What a `tokenizer.json` and a `tokenizer_config.json` say, in the keys of a GGUF header.
 *
 * @throws LongviewError `modelCorrupt`; `modelUnsupported` for another kind than byte-level BPE, or texts that are cut
 * in a way of their own
 */
export function readHfTokenizer(files: HfTokenizerFiles, path: string): Map<string, GgufValue> {
  const { model, added_tokens: added, pre_tokenizer: pre } = parsed(Tokenizer, files.tokenizer, path);
  const config = parsed(TokenizerConfig, files.config, path);
  if (model.type !== 'BPE') {
    throw modelUnsupported(path, `its tokenizer is of the kind ${model.type}, not BPE`, ANOTHER);
  }
  const { tokens, types } = vocabularyOf(model.vocab, added);
  const idOf = (token: z.infer<typeof SpecialToken>): number | undefined => {
    const text = typeof token === 'string' ? token : token?.content;
    const id = text === undefined ? -1 : tokens.indexOf(text);
    return id < 0 ? undefined : id;
  };
  const eos = idOf(config.eos_token);
  const bos = idOf(config.bos_token);
  const template = files.template ?? templateOf(config.chat_template);
  return new Map<string, GgufValue>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', preTokenizerOf(pre, path)],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.token_type', types],
    [
      'tokenizer.ggml.merges',
      model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' '))),
    ],
    ...(eos === undefined ? [] : [['tokenizer.ggml.eos_token_id', eos] as const]),
    ...(bos === undefined ? [] : [['tokenizer.ggml.bos_token_id', bos] as const]),
    ...(template === undefined ? [] : [['tokenizer.chat_template', template] as const]),
  ]);
}

function vocabularyOf(
  vocab: Record<string, number>,
  added: readonly z.infer<typeof AddedToken>[],
): { tokens: string[]; types: Int32Array } {
  const size = 1 + Math.max(...Object.values(vocab), ...added.map(({ id }) => id));
  const tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`);
  const types = new Int32Array(size).fill(UNUSED);
  for (const [text, id] of Object.entries(vocab)) {
    tokens[id] = text;
    types[id] = NORMAL;
  }
  for (const { id, content, special } of added) {
    tokens[id] = content;
    types[id] = special ? CONTROL : USER_DEFINED;
  }
  return { tokens, types };
}

function preTokenizerOf(pre: unknown, path: string): string {
  const text = JSON.stringify(pre ?? null);
  const known = PRE_TOKENIZERS.find(([, mark]) => text.includes(JSON.stringify(mark).slice(1, -1)));
  if (known) return known[0];
  // Digits one by one, then GPT-2's own pattern.
  const cutsDigits = /"type":"Digits","individual_digits":true/.test(text);
  if (cutsDigits && /"type":"ByteLevel"[^}]*"use_regex":true/.test(text)) return 'smollm';
  throw modelUnsupported(path, 'its tokenizer cuts texts in a way that Longview does not know', ANOTHER);
}

/** The one for conversations, where there are several. */
function templateOf(template: z.infer<typeof Template> | null | undefined): string | undefined {
  if (template === null || template === undefined) return undefined;
  if (typeof template === 'string') return template;
  return template.find(({ name }) => name === 'default')?.template;
}

function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, path: string): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw modelCorrupt(path, `its tokenizer: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
}
