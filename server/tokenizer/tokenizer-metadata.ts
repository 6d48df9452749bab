import { LongviewError } from '../errors';
import type { GgufValue } from '../models/gguf/gguf-file';
import type { TokenId } from './tokenizer';

/** The tokenizer's part of a GGUF header, with every value checked for its type. */
export interface TokenizerMetadata {
  /** Name of the pre-tokenizer. */
  pre: string;
  tokens: readonly string[];
  tokenTypes: ArrayLike<number>;
  /** Best first; left and right part with a space between. */
  merges: readonly string[];
  eosToken: TokenId | undefined;
  /** The end of a turn, where the file tells it apart from the end of the text. */
  eotToken: TokenId | undefined;
  bosToken: TokenId | undefined;
}

type Metadata = ReadonlyMap<string, GgufValue>;

/**
 * @throws LongviewError `modelUnsupported` for another kind of tokenizer than byte-level BPE, `modelCorrupt`
 * when a value is missing or of the wrong type
 */
export function readTokenizerMetadata(metadata: Metadata): TokenizerMetadata {
  const kind = metadata.get('tokenizer.ggml.model');
  if (kind !== 'gpt2') {
    throw unsupportedTokenizer(
      `The model's tokenizer is of the kind ${quote(kind)}; Longview reads byte-level BPE ("gpt2") only.`,
    );
  }
  const pre = metadata.get('tokenizer.ggml.pre');
  if (typeof pre !== 'string') {
    throw unsupportedTokenizer('The model file does not name the pre-tokenizer of its vocabulary.');
  }
  const tokens = stringsAt(metadata, 'tokenizer.ggml.tokens');
  const tokenTypes = numbersAt(metadata, 'tokenizer.ggml.token_type');
  if (tokens.length === 0 || tokenTypes.length !== tokens.length) {
    throw corruptTokenizer(`it lists ${tokens.length} tokens and ${tokenTypes.length} token types`);
  }
  return {
    pre,
    tokens,
    tokenTypes,
    merges: stringsAt(metadata, 'tokenizer.ggml.merges'),
    eosToken: tokenAt(metadata, 'tokenizer.ggml.eos_token_id', tokens.length),
    eotToken: tokenAt(metadata, 'tokenizer.ggml.eot_token_id', tokens.length),
    bosToken: tokenAt(metadata, 'tokenizer.ggml.bos_token_id', tokens.length),
  };
}

/** `what` is wrong with the tokenizer in the model file, as the end of a sentence. */
export function corruptTokenizer(what: string): LongviewError {
  return new LongviewError(
    'modelCorrupt',
    `The tokenizer in the model file is broken: ${what}.`,
    'Download the model again or choose another one.',
  );
}

export function unsupportedTokenizer(message: string): LongviewError {
  return new LongviewError('modelUnsupported', message, 'Choose a model of the Qwen2.5 or SmolLM2 family.');
}

function stringsAt(metadata: Metadata, key: string): readonly string[] {
  const value: unknown = metadata.get(key);
  if (!Array.isArray(value)) throw corruptTokenizer(`${key} is ${describe(value)}, not a list of texts`);
  const wrong = value.findIndex((item) => typeof item !== 'string');
  if (wrong >= 0) throw corruptTokenizer(`item ${wrong} of ${key} is not a text`);
  return value as string[];
}

function numbersAt(metadata: Metadata, key: string): ArrayLike<number> {
  const value: unknown = metadata.get(key);
  const isNumeric =
    (ArrayBuffer.isView(value) && !(value instanceof DataView)) ||
    (Array.isArray(value) && value.every((item) => typeof item === 'number'));
  if (!isNumeric) throw corruptTokenizer(`${key} is ${describe(value)}, not a list of numbers`);
  return value as ArrayLike<number>;
}

function tokenAt(metadata: Metadata, key: string, tokenCount: number): TokenId | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= tokenCount) {
    throw corruptTokenizer(`${key} is ${describe(value)}, not one of the ${tokenCount} tokens`);
  }
  return value;
}

const quote = (value: GgufValue | undefined): string =>
  typeof value === 'string' ? `"${value}"` : describe(value);

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return 'a text';
  return typeof value === 'number' ? String(value) : 'a value of another kind';
}
