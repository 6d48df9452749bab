import { ChatFrame, type ChatRenderer } from '../../../../server/prompt/chat-frame';
import type { Candidate } from '../../../../server/prompt/fill';
import type { PackInput } from '../../../../server/prompt/pack';
import type { Tokenizer } from '../../../../server/tokenizer/tokenizer';

const SPECIAL = /<\|[a-z_]+\|>/g;
const SPECIAL_BASE = 0x200000;
const SPECIALS = ['<|im_start|>', '<|im_end|>'];

/** One token for each character, and one for each special token where those are parsed. */
class CharTokenizer implements Tokenizer {
  readonly vocabSize = SPECIAL_BASE + SPECIALS.length;
  readonly bosToken = undefined;
  readonly endTokens = [SPECIAL_BASE + 1];
  readonly firstUnusedToken = this.vocabSize;
  encodeCalls = 0;

  encode(text: string, options?: { parseSpecial?: boolean }): Int32Array {
    this.encodeCalls++;
    if (!options?.parseSpecial) return Int32Array.from(text, (char) => char.codePointAt(0)!);
    const ids: number[] = [];
    let from = 0;
    for (const match of text.matchAll(SPECIAL)) {
      ids.push(...this.encode(text.slice(from, match.index)), SPECIAL_BASE + SPECIALS.indexOf(match[0]));
      from = match.index + match[0].length;
    }
    ids.push(...Array.from(text.slice(from), (char) => char.codePointAt(0)!));
    return Int32Array.from(ids);
  }

  /** Special tokens show, so that tests see the whole prompt. */
  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) =>
      id >= SPECIAL_BASE ? SPECIALS[id - SPECIAL_BASE] : String.fromCodePoint(id),
    ).join('');
  }

  bytesOf(id: number): Uint8Array {
    return id >= SPECIAL_BASE ? new Uint8Array() : new TextEncoder().encode(String.fromCodePoint(id));
  }

  streamDecoder(): never {
    throw new Error('not needed to write a prompt');
  }
}

/** The template of ChatML. */
const chatml: ChatRenderer = {
  render: (messages, { addGenerationPrompt }) => [
    ...messages.flatMap(
      ({ role, content }, message) =>
        [
          { kind: 'template', text: `<|im_start|>${role}\n` },
          { kind: 'content', text: content, message },
          { kind: 'template', text: '<|im_end|>\n' },
        ] as const,
    ),
    ...(addGenerationPrompt ? [{ kind: 'template', text: '<|im_start|>assistant\n' } as const] : []),
  ],
};

export function charModel() {
  const tokenizer = new CharTokenizer();
  return { identity: 'chars', tokenizer, frame: new ChatFrame(chatml, tokenizer) };
}

/** Paths as a ranking gives them, best first. */
export const ranked = (paths: readonly string[]): Candidate[] =>
  paths.map((path, at) => ({ path, likelihood: 1 / (at + 1.5) }));

/** A question about `paths` and nothing else: what a test of packing does not say otherwise. */
export function plainInput(paths: readonly string[]) {
  return {
    question: 'why?',
    history: [],
    selections: [],
    excerpts: [],
    subjects: [],
    attachedPaths: [],
    totalFiles: paths.length,
    usablePaths: [...paths],
    pinnedPaths: [],
    unusable: [],
    secrets: new Map(),
    rankBase: () => ranked([...paths]),
    earlierBase: new Map(),
    earlierBases: [],
    held: [],
    signal: new AbortController().signal,
  } satisfies Partial<PackInput>;
}
