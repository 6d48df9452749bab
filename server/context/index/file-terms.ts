import { TermScanner, type TermSink } from './term-scanner';

/**
 * What is known of a file for ranking, in one array: `[terms, definitions, length, ...hashes ascending,
 * ...hashes of defined names ascending, ...weights]` with four weights of one byte to an element. One array and not
 * three objects, because there are a hundred thousand of them.
 */
export type FileTerms = Uint32Array;

const HEADER = 3;

/** A definition says more about a file than a mention in its text. */
const DEFINITION_WEIGHT = 4;
/** Marks a weight of a term that is in the path as well; how often the text has it is below the mark. */
export const IN_PATH = 0x80;
export const IN_TEXT = 0x7f;
const MAX_DEFINITIONS = 512;
/** Kept of a file however many files there are, the first ones. */
const FEWEST_DEFINITIONS = 16;

/** Text past this says little more about what a file is about. */
const MAX_SCANNED_CHARS = 400_000;

const termCount = (terms: FileTerms): number => terms[0] ?? 0;
const definitionCount = (terms: FileTerms): number => terms[1] ?? 0;
/** Terms of the text, repetitions counted. */
export const textLength = (terms: FileTerms): number => terms[2] ?? 0;

/** True when the array is as long as its header says. */
export function isWhole(terms: FileTerms): boolean {
  const count = termCount(terms);
  return terms.length === HEADER + count + definitionCount(terms) + ((count + 3) >> 2);
}

export function definitionsOf(terms: FileTerms): Uint32Array {
  const start = HEADER + termCount(terms);
  return terms.subarray(start, start + definitionCount(terms));
}

export function hashesOf(terms: FileTerms): Uint32Array {
  return terms.subarray(HEADER, HEADER + termCount(terms));
}

/** The weight of a term in the file; 0 when it is not there. */
export function weightOf(terms: FileTerms, hash: number): number {
  let low = HEADER;
  let high = HEADER + termCount(terms) - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = terms[middle] ?? 0;
    if (found === hash) return weightAt(terms, middle - HEADER);
    if (found < hash) low = middle + 1;
    else high = middle - 1;
  }
  return 0;
}

function weightAt(terms: FileTerms, index: number): number {
  const packed = terms[HEADER + termCount(terms) + definitionCount(terms) + (index >> 2)] ?? 0;
  return (packed >>> ((index & 3) * 8)) & 0xff;
}

/** True when the file defines a name of this hash. */
export function defines(terms: FileTerms, nameHash: number): boolean {
  return definitionsOf(terms).includes(nameHash);
}

/** Turns texts into `FileTerms`. Keeps its table between files, so that reading one leaves no garbage but the result. */
export class TermCounter implements TermSink {
  private readonly scanner = new TermScanner();
  private hashes = new Uint32Array(1 << 14);
  private weights = new Uint16Array(1 << 14);
  private used: number[] = [];
  private readonly definitions = new Set<number>();
  private weight = 1;
  private length = 0;

  /** @param mostTerms kept of the file, the weightiest ones */
  count(path: string, text: string, mostTerms: number): FileTerms {
    this.reset();
    this.weight = 1;
    this.scanner.scan(text.length > MAX_SCANNED_CHARS ? text.slice(0, MAX_SCANNED_CHARS) : text, this);
    const { length } = this;
    this.weight = IN_PATH;
    this.scanner.scan(path, this);
    return this.packed(length, mostTerms);
  }

  term(hash: number): void {
    this.length++;
    this.add(hash, this.weight);
  }

  defined(nameHash: number): void {
    if (this.definitions.size >= MAX_DEFINITIONS || this.definitions.has(nameHash)) return;
    this.definitions.add(nameHash);
    this.add(nameHash, DEFINITION_WEIGHT);
  }

  private add(hash: number, weight: number): void {
    const mask = this.hashes.length - 1;
    let at = hash & mask;
    while (this.hashes[at] !== hash) {
      if (this.hashes[at] === 0) {
        if (this.used.length * 2 > mask) {
          this.grow();
          this.add(hash, weight);
          return;
        }
        this.hashes[at] = hash;
        this.used.push(at);
        break;
      }
      at = (at + 1) & mask;
    }
    const before = this.weights[at] ?? 0;
    this.weights[at] = weight === IN_PATH ? before | IN_PATH : Math.min(IN_TEXT, before + weight);
  }

  private grow(): void {
    const pairs = this.used.map((at) => [this.hashes[at] ?? 0, this.weights[at] ?? 0] as const);
    this.hashes = new Uint32Array(this.hashes.length * 2);
    this.weights = new Uint16Array(this.hashes.length);
    this.used = [];
    for (const [hash, weight] of pairs) {
      this.add(hash, weight & IN_TEXT);
      if (weight & IN_PATH) this.add(hash, IN_PATH);
    }
  }

  private reset(): void {
    for (const at of this.used) {
      this.hashes[at] = 0;
      this.weights[at] = 0;
    }
    this.used = [];
    this.definitions.clear();
    this.length = 0;
  }

  private packed(length: number, mostTerms: number): FileTerms {
    let places = this.used;
    if (places.length > mostTerms) {
      places = [...places]
        .sort((a, b) => (this.weights[b] ?? 0) - (this.weights[a] ?? 0))
        .slice(0, mostTerms);
    }
    const order = Uint32Array.from(places, (at) => this.hashes[at] ?? 0).sort();
    const mostNames = Math.max(FEWEST_DEFINITIONS, mostTerms >> 3);
    const names = Uint32Array.from([...this.definitions].slice(0, mostNames)).sort();
    const packed = new Uint32Array(HEADER + order.length + names.length + ((order.length + 3) >> 2));
    packed[0] = order.length;
    packed[1] = names.length;
    packed[2] = length;
    packed.set(order, HEADER);
    packed.set(names, HEADER + order.length);
    const start = HEADER + order.length + names.length;
    order.forEach((hash, index) => {
      const place = start + (index >> 2);
      packed[place] = ((packed[place] ?? 0) | (this.weightOf(hash) << ((index & 3) * 8))) >>> 0;
    });
    return packed;
  }

  private weightOf(hash: number): number {
    const mask = this.hashes.length - 1;
    let at = hash & mask;
    while (this.hashes[at] !== hash) at = (at + 1) & mask;
    return this.weights[at] ?? 0;
  }
}
