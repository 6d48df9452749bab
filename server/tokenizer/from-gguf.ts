import type { GgufValue } from '../models/gguf/gguf-file';
import { createByteAlphabet } from './byte-alphabet';
import { ByteBpeTokenizer } from './byte-bpe-tokenizer';
import { MergeTable } from './merge-table';
import { NO_TOKEN, PieceMerger } from './piece-merger';
import { PRE_TOKENIZERS } from './pre-tokenizers';
import { SpecialTokens } from './special-tokens';
import { TokenIndex } from './token-index';
import type { TokenId, Tokenizer } from './tokenizer';
import {
  corruptTokenizer,
  readTokenizerMetadata,
  type TokenizerMetadata,
  unsupportedTokenizer,
} from './tokenizer-metadata';
import { Vocabulary } from './vocabulary';

/** Texts of tokens that end an answer, whether or not the file names them as such. */
const END_TOKEN_TEXTS = ['<|im_end|>', '<|endoftext|>'];

/**
 * The tokenizer that a GGUF header describes. `metadata` keeps the file's keys and values.
 * @throws LongviewError `modelUnsupported` for a kind of tokenizer that Longview does not have,
 * `modelCorrupt` for a vocabulary or merges that contradict themselves
 */
export function tokenizerFromMetadata(metadata: ReadonlyMap<string, GgufValue>): Tokenizer {
  const source = readTokenizerMetadata(metadata);
  const createPreTokenizer = PRE_TOKENIZERS.get(source.pre);
  if (!createPreTokenizer) {
    const known = [...PRE_TOKENIZERS.keys()].join(', ');
    throw unsupportedTokenizer(
      `The model's pre-tokenizer "${source.pre}" is not supported; Longview has ${known}.`,
    );
  }
  const tokens = new TokenIndex(source.tokens);
  if (tokens.repeatedText !== undefined) {
    throw corruptTokenizer(`the token ${JSON.stringify(tokens.repeatedText)} occurs twice`);
  }
  const alphabet = createByteAlphabet();
  const vocabulary = new Vocabulary(source.tokens, source.tokenTypes, alphabet);
  const specialTokens = vocabulary.specialTokens();
  const merges = buildMerges(source.merges, tokens, (id) => vocabulary.mayComeFromText(id));
  const tokenOfByte = Int32Array.from(alphabet.charOfByte, (char) => tokens.find(char) ?? NO_TOKEN);
  return new ByteBpeTokenizer({
    vocabulary,
    preTokenizer: createPreTokenizer(),
    merger: new PieceMerger(merges, tokenOfByte),
    tokenOfByte,
    specialTokens: new SpecialTokens(specialTokens),
    bosToken: source.bosToken,
    endTokens: endTokensOf(source, specialTokens),
  });
}

function buildMerges(
  merges: readonly string[],
  tokens: TokenIndex,
  mayComeFromText: (id: TokenId) => boolean,
): MergeTable {
  const table = new MergeTable(merges.length);
  for (const merge of merges) {
    // From index 1: the left part is never empty.
    const space = merge.indexOf(' ', 1);
    if (space < 0) throw corruptTokenizer(`the merge ${JSON.stringify(merge)} has one part only`);
    const left = tokens.findPart(merge, 0, space);
    const right = tokens.findPart(merge, space + 1, merge.length);
    const merged = tokens.findAround(merge, 0, merge.length, space);
    if (left === undefined || right === undefined || merged === undefined) {
      throw corruptTokenizer(`the merge ${JSON.stringify(merge)} names no tokens of the vocabulary`);
    }
    if (!mayComeFromText(merged)) {
      throw corruptTokenizer(`the merge ${JSON.stringify(merge)} makes a special or unused token`);
    }
    table.add(left, right, merged);
  }
  return table;
}

function endTokensOf(source: TokenizerMetadata, specialTokens: ReadonlyMap<string, TokenId>): TokenId[] {
  const named = END_TOKEN_TEXTS.map((text) => specialTokens.get(text));
  const present = [source.eosToken, source.eotToken, ...named].filter((id) => id !== undefined);
  if (present.length === 0) throw corruptTokenizer('it has no token that ends an answer');
  return [...new Set(present)];
}
