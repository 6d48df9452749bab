import { createByteAlphabet } from '../../../../server/tokenizer/byte-alphabet';
import type { Metadata } from './small-vocabulary';

/** Byte-level BPE by the book: regular expressions, strings, and a search for the best pair at each step. */
export class ReferenceTokenizer {
  readonly #ids: Map<string, number>;
  readonly #ranks: Map<string, number>;
  readonly #pre: string;

  constructor(metadata: Metadata) {
    const tokens = metadata.get('tokenizer.ggml.tokens') as string[];
    const merges = metadata.get('tokenizer.ggml.merges') as string[];
    this.#ids = new Map(tokens.map((text, id) => [text, id]));
    this.#ranks = new Map(merges.map((merge, rank) => [merge, rank]));
    this.#pre = metadata.get('tokenizer.ggml.pre') as string;
  }

  encode(text: string): number[] {
    return referencePieces(this.#pre, text).flatMap((piece) => this.#encodePiece(piece));
  }

  #encodePiece(piece: string): number[] {
    const { charOfByte } = createByteAlphabet();
    const symbols = [...Buffer.from(piece)].map((byte) => charOfByte[byte]!);
    for (;;) {
      let best = Number.POSITIVE_INFINITY;
      let at = -1;
      for (let i = 0; i + 1 < symbols.length; i++) {
        const rank = this.#ranks.get(`${symbols[i]!} ${symbols[i + 1]!}`) ?? Number.POSITIVE_INFINITY;
        if (rank < best) {
          best = rank;
          at = i;
        }
      }
      if (at < 0) break;
      symbols.splice(at, 2, symbols[at]! + symbols[at + 1]!);
    }
    return symbols.map((symbol) => this.#ids.get(symbol)).filter((id) => id !== undefined);
  }
}

const QWEN2 =
  /'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
const GPT2 =
  /'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The pieces of a text by the regular expressions that the models publish. */
export function referencePieces(pre: string, text: string): string[] {
  const wellFormed = Buffer.from(text).toString();
  if (pre === 'qwen2') return wellFormed.match(QWEN2) ?? [];
  const stretches = wellFormed.match(/\p{N}|\P{N}+/gu) ?? [];
  return stretches.flatMap((stretch) => (/^\p{N}$/u.test(stretch) ? [stretch] : (stretch.match(GPT2) ?? [])));
}
