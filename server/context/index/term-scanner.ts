/** Kinds of UTF-16 code units; what is none of them separates identifiers. */
const LOWER = 1;
const UPPER = 2;
const DIGIT = 3;
const JOINER = 4;

const CODE_UNITS = 65_536;
const kinds = new Uint8Array(CODE_UNITS);
const lowered = new Uint16Array(CODE_UNITS);
fillTables();

/** By runs of units of a kind: asking for each of them would take a tenth of a second at every start. */
function fillTables(): void {
  const units = Array.from({ length: CODE_UNITS }, (_, unit) => String.fromCharCode(unit));
  const all = units.join('');
  const byRank: [RegExp, number][] = [
    [/[\p{L}\p{M}]+/gu, LOWER],
    [/\p{Lu}+/gu, UPPER],
    [/\p{N}+/gu, DIGIT],
    [/[_$]/g, JOINER],
  ];
  for (const [pattern, kind] of byRank) {
    for (const { index, 0: run } of all.matchAll(pattern)) kinds.fill(kind, index, index + run.length);
  }
  units.forEach((char, unit) => {
    const lower = char.toLowerCase();
    lowered[unit] = lower.length === 1 ? lower.charCodeAt(0) : unit;
  });
}

const MAX_NAME_UNITS = 80;
const HASH_START = 0x811c9dc5 | 0;
const HASH_PRIME = 0x01000193;

const NEWLINE = 0x0a;
const OPENING_PARENTHESIS = 0x28;
const EQUALS = 0x3d;
const OPENING_BRACE = 0x7b;

const step = (hash: number, unit: number): number => Math.imul(hash ^ unit, HASH_PRIME);
/** Zero marks a free place in tables, so no term has it. */
const finished = (hash: number): number => (hash === 0 ? 1 : hash);

/** The hash of a name as the scanner hashes it: in lower case, whole, 32 bits with a sign. */
export function hashOfName(name: string): number {
  let hash = HASH_START;
  for (let at = 0; at < name.length; at++) hash = step(hash, lowered[name.charCodeAt(at)] ?? 0);
  return finished(hash);
}

/** A few hashes in a table of its own: asked once for each name of every file, a `Set` would take longer than the rest. */
class HashSet {
  private readonly places = new Int32Array(256);

  constructor(words: string) {
    for (const word of words.split(' ')) this.places[this.placeOf(hashOfName(word))] = hashOfName(word);
  }

  has(hash: number): boolean {
    return hash !== 0 && this.places[this.placeOf(hash)] === hash;
  }

  private placeOf(hash: number): number {
    let at = hash & 255;
    while (this.places[at] !== 0 && this.places[at] !== hash) at = (at + 1) & 255;
    return at;
  }
}

/** The name behind one of these is what the line defines. */
const DEFINING = new HashSet(
  'class interface enum struct union trait def function fn fun func type const let var val namespace module object record protocol mod impl macro_rules define typedef',
);
/** A line that starts with one of these calls or controls; it defines nothing, whatever its shape. */
const ACTING = new HashSet(
  'if for while switch catch return else elif try with do await throw new yield case assert raise import from using print',
);

/** What a scan reports. Hashes are 32 bits with a sign, which engines keep as plain integers, and never 0. */
export interface TermSink {
  /** A word, or a whole name of several words. */
  term(hash: number): void;
  /** The line defines this name; its terms are reported apart. */
  defined(nameHash: number): void;
}

/**
 * Finds the search terms of texts: the words of camelCase and snake_case names without their endings, and each
 * composed name whole, all in lower case. Terms are hashed as they are read: no strings are made, which is what
 * lets it read a hundred megabytes a second.
 */
export class TermScanner {
  /** Code units of the text: read from an array in a fraction of the time that a string takes. */
  private units = new Uint16Array(1 << 15);
  private bytes = Buffer.from(this.units.buffer);
  private length = 0;
  /** Hashes of the leading units of the word read last, by their number. */
  private readonly prefixes = new Int32Array(MAX_NAME_UNITS + 1);
  private readonly word = new Uint16Array(MAX_NAME_UNITS);
  private nameHash = 0;

  scan(text: string, sink: TermSink): void {
    this.take(text);
    const { units, length } = this;
    let at = 0;
    let previous = 0;
    let first = 0;
    let headPossible = true;
    while (at < length) {
      const unit = units[at] as number;
      if (kinds[unit] !== 0) {
        at = this.name(at, sink);
        const name = this.nameHash;
        if (first === 0) first = name;
        if (DEFINING.has(previous)) sink.defined(name);
        previous = name;
        continue;
      }
      if (unit === NEWLINE) {
        previous = 0;
        first = 0;
        headPossible = true;
      } else if (unit === OPENING_PARENTHESIS && headPossible) {
        headPossible = false;
        if (previous !== 0 && !ACTING.has(first) && this.opensBody(at)) sink.defined(previous);
      } else if (unit === EQUALS) headPossible = false;
      at++;
    }
  }

  private take(text: string): void {
    this.length = text.length;
    if (text.length > this.units.length) {
      this.units = new Uint16Array(2 ** Math.ceil(Math.log2(text.length)));
      this.bytes = Buffer.from(this.units.buffer);
    }
    this.bytes.write(text, 'utf16le');
  }

  /** Reports the terms of the name at `start` and returns where it ends; `nameHash` is its hash. */
  private name(start: number, sink: TermSink): number {
    const { units, prefixes, word, length: end } = this;
    let whole = HASH_START;
    let prefix = HASH_START;
    let words = 0;
    let length = 0;
    let at = start;
    let before = 0;
    for (; at < end; at++) {
      const unit = units[at] as number;
      const kind = kinds[unit] as number;
      if (kind === 0) break;
      const lower = lowered[unit] as number;
      whole = step(whole, lower);
      // Lower case behind letters, which most of a text is, never starts a word.
      const mayStart = kind !== LOWER || before > UPPER;
      if (mayStart && length > 0 && this.startsWord(kind, before, at)) {
        words += this.reportWord(length, sink);
        length = 0;
        prefix = HASH_START;
      }
      if (kind !== JOINER && length < MAX_NAME_UNITS) {
        word[length++] = lower;
        prefix = step(prefix, lower);
        prefixes[length] = prefix;
      }
      before = kind;
    }
    words += this.reportWord(length, sink);
    this.nameHash = finished(whole);
    if (words > 1 && at - start <= MAX_NAME_UNITS) sink.term(this.nameHash);
    return at;
  }

  private startsWord(kind: number, before: number, at: number): boolean {
    if (kind === JOINER || before === JOINER) return true;
    if (kind === DIGIT) return before !== DIGIT;
    if (kind !== UPPER) return before === DIGIT;
    return before !== UPPER || (at + 1 < this.length && kinds[this.units[at + 1] as number] === LOWER);
  }

  /** Reports the word read last, `length` units long, without its ending; 1 if it was one. */
  private reportWord(length: number, sink: TermSink): number {
    if (length < 2) return length;
    sink.term(finished(this.prefixes[this.stemLength(length)] as number));
    return 1;
  }

  /** "caches", "cached", "caching" and "cache" are one word. Endings are only ever cut off. */
  private stemLength(length: number): number {
    const { word } = this;
    let left = length;
    if (left >= 4 && word[left - 1] === S && !isOneOf(word[left - 2] as number, S, U, I)) left--;
    if (left >= 6 && word[left - 1] === G && word[left - 2] === N && word[left - 3] === I)
      left = this.undoubled(left - 3);
    else if (left >= 5 && word[left - 1] === D && word[left - 2] === E) left = this.undoubled(left - 2);
    if (left >= 4 && word[left - 1] === E) left--;
    return left;
  }

  /** "mapped" comes from "map", but "called" from "call". */
  private undoubled(length: number): number {
    const last = this.word[length - 1] as number;
    const isDouble = length >= 4 && last === this.word[length - 2];
    return isDouble && !isOneOf(last, L, S, Z) ? length - 1 : length;
  }

  /** True when the line that holds `at` ends by opening a block, as the head of a function does. */
  private opensBody(at: number): boolean {
    const { units, length } = this;
    let end = at;
    while (end < length && units[end] !== NEWLINE) end++;
    while (end > at && (units[end - 1] as number) <= 32) end--;
    return units[end - 1] === OPENING_BRACE;
  }
}

const unitOf = (letter: string): number => letter.charCodeAt(0);
const D = unitOf('d');
const E = unitOf('e');
const G = unitOf('g');
const I = unitOf('i');
const L = unitOf('l');
const N = unitOf('n');
const S = unitOf('s');
const U = unitOf('u');
const Z = unitOf('z');

const isOneOf = (unit: number, a: number, b: number, c: number): boolean =>
  unit === a || unit === b || unit === c;
