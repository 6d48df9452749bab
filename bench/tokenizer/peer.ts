import { readFileSync } from 'node:fs';
import { Tokenizer as PeerTokenizer } from '@huggingface/tokenizers';
import type { GgufValue } from '../../server/models/gguf/gguf-file';
import { TokenType } from '../../server/tokenizer/vocabulary';

/** Pattern of Qwen2.5's tokenizer.json. */
const SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** The peer over the same vocabulary, with nothing encoded before. */
export function createPeer(metadata: ReadonlyMap<string, GgufValue>): PeerTokenizer {
  return new PeerTokenizer(tokenizerJsonOf(metadata), {});
}

/** Name and version as installed. */
export function peerName(): string {
  const manifest = JSON.parse(readFileSync('node_modules/@huggingface/tokenizers/package.json', 'utf8')) as {
    name: string;
    version: string;
  };
  return `${manifest.name} ${manifest.version}`;
}

/**
 * What tokenizer.json of the model says, from the GGUF's own vocabulary and merges. Without its NFC
 * normalizer, which llama.cpp and Longview do not apply: it only saves the peer work.
 */
export function tokenizerJsonOf(metadata: ReadonlyMap<string, GgufValue>): object {
  const tokens = metadata.get('tokenizer.ggml.tokens') as readonly string[];
  const types = metadata.get('tokenizer.ggml.token_type') as ArrayLike<number>;
  const vocab: Record<string, number> = {};
  const addedTokens: object[] = [];
  tokens.forEach((content, id) => {
    if (types[id] === TokenType.normal) vocab[content] = id;
    else if (types[id] !== TokenType.unused) addedTokens.push({ id, content, special: true });
  });
  return {
    added_tokens: addedTokens,
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: SPLIT }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: 'BPE',
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: metadata.get('tokenizer.ggml.merges'),
    },
  };
}
