import { bytesOf, CharacterClass, CharacterClasses, classOf } from './character-classes';

/** Cuts text into the pieces that byte-pair merges never cross. */
export interface PreTokenizer {
  /**
   * End of the piece that starts at `start`, always beyond it. `bytes` is valid UTF-8 and ends at `end`.
   * Finding all pieces of a text takes time linear in its length.
   */
  pieceEnd(bytes: Uint8Array, start: number, end: number): number;
}

const { letter: LETTER, number: NUMBER, space: SPACE, newline: NEWLINE, other: OTHER } = CharacterClass;
const BLANK = 0x20;
const APOSTROPHE = 0x27;

/**
 * The pattern of Qwen 2 and 2.5 as a scanner:
 * `'(?i:[sdmt]|re|ve|ll)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
 */
class Qwen2PreTokenizer implements PreTokenizer {
  constructor(private readonly classes: CharacterClasses) {}

  pieceEnd(bytes: Uint8Array, start: number, end: number): number {
    const first = this.classes.at(bytes, start);
    const afterFirst = start + bytesOf(first);
    switch (classOf(first)) {
      case LETTER:
        return runEnd(this.classes, LETTER, bytes, afterFirst, end);
      case NUMBER:
        return afterFirst;
      case NEWLINE:
        return this.#whitespaceEnd(bytes, start, end);
      default:
        break;
    }
    if (bytes[start] === APOSTROPHE) {
      const contraction = contractionEnd(bytes, start, end, LOWER_CASE_BIT);
      if (contraction > start) return contraction;
    }
    const next = afterFirst < end ? classOf(this.classes.at(bytes, afterFirst)) : 0;
    if (next === LETTER) return runEnd(this.classes, LETTER, bytes, afterFirst, end);
    if (classOf(first) === OTHER || (bytes[start] === BLANK && next === OTHER)) {
      const symbolsEnd = runEnd(this.classes, OTHER, bytes, afterFirst, end);
      return runEnd(this.classes, NEWLINE, bytes, symbolsEnd, end);
    }
    return this.#whitespaceEnd(bytes, start, end);
  }

  /** `\s*[\r\n]+|\s+(?!\S)|\s+` */
  #whitespaceEnd(bytes: Uint8Array, start: number, end: number): number {
    let position = start;
    let lastStart = start;
    let lastNewlineEnd = start;
    while (position < end) {
      const character = this.classes.at(bytes, position);
      const kind = classOf(character);
      if (kind !== SPACE && kind !== NEWLINE) break;
      lastStart = position;
      position += bytesOf(character);
      if (kind === NEWLINE) lastNewlineEnd = position;
    }
    if (lastNewlineEnd > start) return lastNewlineEnd;
    // The last space before a word belongs to the word.
    return position === end || lastStart === start ? position : lastStart;
  }
}

/**
 * The pattern of SmolLM as a scanner: digits stand alone (`\p{N}`), and what lies between them is cut by that
 * of GPT-2, `'(?:[sdmt]|re|ve|ll)| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, as if it were a text of its own.
 */
class SmolLmPreTokenizer implements PreTokenizer {
  constructor(private readonly classes: CharacterClasses) {}

  pieceEnd(bytes: Uint8Array, start: number, end: number): number {
    const first = this.classes.at(bytes, start);
    const afterFirst = start + bytesOf(first);
    let kind = classOf(first);
    if (kind === NUMBER) return afterFirst;
    if (bytes[start] === APOSTROPHE) {
      const contraction = contractionEnd(bytes, start, end, 0);
      if (contraction > start) return contraction;
    }
    if (bytes[start] === BLANK && afterFirst < end) kind = classOf(this.classes.at(bytes, afterFirst));
    if (kind === LETTER || kind === OTHER) return runEnd(this.classes, kind, bytes, afterFirst, end);
    return this.#whitespaceEnd(bytes, start, end);
  }

  /** `\s+(?!\S)|\s+`, where a digit ends the text. */
  #whitespaceEnd(bytes: Uint8Array, start: number, end: number): number {
    let position = start;
    let lastStart = start;
    while (position < end) {
      const character = this.classes.at(bytes, position);
      const kind = classOf(character);
      if (kind === NUMBER) return position;
      if (kind !== SPACE && kind !== NEWLINE) return lastStart === start ? position : lastStart;
      lastStart = position;
      position += bytesOf(character);
    }
    return position;
  }
}

/** The pre-tokenizers that Longview has, by their name in `tokenizer.ggml.pre`. */
export const PRE_TOKENIZERS: ReadonlyMap<string, () => PreTokenizer> = new Map<string, () => PreTokenizer>([
  ['qwen2', () => new Qwen2PreTokenizer(new CharacterClasses())],
  ['smollm', () => new SmolLmPreTokenizer(new CharacterClasses())],
]);

function runEnd(
  classes: CharacterClasses,
  kind: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let position = start;
  while (position < end) {
    const character = classes.at(bytes, position);
    if (classOf(character) !== kind) break;
    position += bytesOf(character);
  }
  return position;
}

/** Set on an ASCII letter, it makes the letter small; other bytes never become a letter by it. */
const LOWER_CASE_BIT = 0x20;
const ONE_LETTER_CONTRACTIONS: ReadonlySet<number> = new Set(Buffer.from('stmd'));
const TWO_LETTER_CONTRACTIONS: ReadonlySet<number> = new Set(
  ['re', 've', 'll'].map((ending) => Buffer.from(ending).readUInt16BE()),
);

/** End of the English contraction at the apostrophe `start`; `start` itself where there is none. */
function contractionEnd(bytes: Uint8Array, start: number, end: number, caseBit: number): number {
  if (start + 1 >= end) return start;
  const first = (bytes[start + 1] as number) | caseBit;
  if (ONE_LETTER_CONTRACTIONS.has(first)) return start + 2;
  if (start + 2 >= end) return start;
  const second = (bytes[start + 2] as number) | caseBit;
  return TWO_LETTER_CONTRACTIONS.has((first << 8) | second) ? start + 3 : start;
}
