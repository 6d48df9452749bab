import type { GgufValue } from '../models/gguf/gguf-file';
import { createByteAlphabet } from './byte-alphabet';
import { ByteBpeTokenizer } from './byte-bpe-tokenizer';
import { MergeTable } from './merge-table';
import { PackedTexts } from './packed-texts';
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
  if (tokens.repeatedToken !== undefined) {
    const text = JSON.stringify(source.tokens[tokens.repeatedToken]);
    throw corruptTokenizer(`the token ${text} occurs twice`);
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

const BLANK = 0x20;

function buildMerges(
  merges: readonly string[],
  tokens: TokenIndex,
  mayComeFromText: (id: TokenId) => boolean,
): MergeTable {
  const { codes, starts } = new PackedTexts(merges);
  const table = new MergeTable(merges.length);
  for (let rank = 0; rank < merges.length; rank++) {
    const start = starts[rank] as number;
    const end = starts[rank + 1] as number;
    // The left part is never empty, so that it may itself begin with a blank.
    let blank = start + 1;
    while (blank < end && codes[blank] !== BLANK) blank++;
    const left = tokens.findPart(codes, start, Math.min(blank, end));
    const right = tokens.findPart(codes, blank + 1, end);
    const merged = tokens.findPart(codes, start, end, blank);
    if (left === undefined || right === undefined || merged === undefined) {
      throw corruptTokenizer(`the merge ${JSON.stringify(merges[rank])} names no tokens of the vocabulary`);
    }
    if (!mayComeFromText(merged)) {
      throw corruptTokenizer(`the merge ${JSON.stringify(merges[rank])} makes a special or unused token`);
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
