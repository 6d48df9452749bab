/**
 * What is known of a file for ranking, as a run of 32-bit words in a larger array: `[terms, definitions, length,
 * ...hashes ascending, ...hashes of defined names ascending, ...weights]` with four weights of one byte to a word. A
 * run and not objects, because there are a hundred thousand of them.
 */
export type FileTerms = Int32Array;

const HEADER = 3;

/** A definition says more about a file than a mention in its text. */
export const DEFINITION_WEIGHT = 4;
/** Marks a weight of a term that is in the path as well; how often the text has it is below the mark. */
export const IN_PATH = 0x80;
export const IN_TEXT = 0x7f;

const termCount = (words: Int32Array, at: number): number => words[at] ?? 0;
const definitionCount = (words: Int32Array, at: number): number => words[at + 1] ?? 0;
/** Terms of the text, repetitions counted. */
export const textLength = (words: Int32Array, at: number): number => words[at + 2] ?? 0;

/** How many words the run at `at` has. */
export function sizeOf(words: Int32Array, at: number): number {
  const count = termCount(words, at);
  return HEADER + count + definitionCount(words, at) + ((count + 3) >> 2);
}

/** Where the hashes of the terms begin and end. */
export function hashesAt(words: Int32Array, at: number): [start: number, end: number] {
  const start = at + HEADER;
  return [start, start + termCount(words, at)];
}

/** Where the hashes of the defined names begin and end. */
export function definitionsAt(words: Int32Array, at: number): [start: number, end: number] {
  const start = at + HEADER + termCount(words, at);
  return [start, start + definitionCount(words, at)];
}

/** The weight of a term in the file at `at`; 0 when it is not there. */
export function weightOf(words: Int32Array, at: number, hash: number): number {
  const start = at + HEADER;
  let low = start;
  let high = start + (words[at] as number) - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = words[middle] as number;
    if (found === hash) return weightAt(words, at, middle - start);
    if (found < hash) low = middle + 1;
    else high = middle - 1;
  }
  return 0;
}

/** The weight of the term with this number in the file at `at`. */
export function weightAt(words: Int32Array, at: number, index: number): number {
  const [, end] = definitionsAt(words, at);
  return ((words[end + (index >> 2)] ?? 0) >>> ((index & 3) * 8)) & 0xff;
}

/** True when the file at `at` defines a name of this hash. */
export function defines(words: Int32Array, at: number, nameHash: number): boolean {
  const [start, end] = definitionsAt(words, at);
  for (let place = start; place < end; place++) if (words[place] === nameHash) return true;
  return false;
}

export interface Counted {
  /** Hashes of terms, ascending. */
  hashes: Int32Array;
  /** Hashes of defined names, ascending. */
  definitions: Int32Array;
  /** Terms of the text, repetitions counted. */
  length: number;
  /** One byte each: `IN_PATH`, and how often the text has the term. */
  weights: Uint8Array;
}

export function fileTerms({ hashes, definitions, length, weights }: Counted): FileTerms {
  const end = HEADER + hashes.length + definitions.length;
  const words = new Int32Array(end + ((hashes.length + 3) >> 2));
  words[0] = hashes.length;
  words[1] = definitions.length;
  words[2] = length;
  words.set(hashes, HEADER);
  words.set(definitions, HEADER + hashes.length);
  for (let index = 0; index < weights.length; index++) {
    const place = end + (index >> 2);
    words[place] = (words[place] as number) | ((weights[index] as number) << ((index & 3) * 8));
  }
  return words;
}
