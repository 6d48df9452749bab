/** Kinds of UTF-16 code units; what is none of them separates identifiers. */
const LOWER = 1;
const UPPER = 2;
const DIGIT = 3;
const JOINER = 4;

const CODE_UNITS = 65_536;
const kinds = new Uint8Array(CODE_UNITS);
const lowered = new Uint16Array(CODE_UNITS);
for (let unit = 0; unit < CODE_UNITS; unit++) {
  const char = String.fromCharCode(unit);
  const lower = char.toLowerCase();
  lowered[unit] = lower.length === 1 ? lower.charCodeAt(0) : unit;
  if (char === '_' || char === '$') kinds[unit] = JOINER;
  else if (/\p{N}/u.test(char)) kinds[unit] = DIGIT;
  else if (/\p{Lu}/u.test(char)) kinds[unit] = UPPER;
  else if (/[\p{L}\p{M}]/u.test(char)) kinds[unit] = LOWER;
}

const MAX_NAME_UNITS = 80;
const HASH_START = 0x811c9dc5;
const HASH_PRIME = 0x01000193;

const step = (hash: number, unit: number): number => Math.imul(hash ^ unit, HASH_PRIME);
/** Zero marks a free place in tables, so no term has it. */
const finished = (hash: number): number => hash >>> 0 || 1;

/** The hash of a name as the scanner hashes it: in lower case, whole, 32 bits. */
export function hashOfName(name: string): number {
  let hash = HASH_START;
  for (let at = 0; at < name.length; at++) hash = step(hash, lowered[name.charCodeAt(at)] ?? 0);
  return finished(hash);
}

const hashesOf = (words: string): ReadonlySet<number> => new Set(words.split(' ').map(hashOfName));

/** The name behind one of these is what the line defines. */
const DEFINING = hashesOf(
  'class interface enum struct union trait def function fn fun func type const let var val namespace module object record protocol mod impl macro_rules define typedef',
);
/** A line that starts with one of these calls or controls; it defines nothing, whatever its shape. */
const ACTING = hashesOf(
  'if for while switch catch return else elif try with do await throw new yield case assert raise import from using print',
);

/** What a scan reports. Hashes are 32 bits and never 0. */
export interface TermSink {
  /** A word, or a whole name of several words. */
  term(hash: number): void;
  /** The line defines this name; its terms are reported apart. */
  defined(nameHash: number): void;
}

/**
 * Finds the search terms of texts: the words of camelCase and snake_case names without their endings, and each
 * composed name whole, all in lower case. Terms are hashed as they are read: no strings are made, which is what
 * lets it read tens of megabytes a second.
 */
export class TermScanner {
  /** Hashes of the leading units of the word and of the whole name, by length. */
  private readonly prefixes = new Int32Array(MAX_NAME_UNITS + 1);
  private readonly units = new Uint16Array(MAX_NAME_UNITS + 1);

  scan(text: string, sink: TermSink): void {
    let at = 0;
    let previous = 0;
    let first = 0;
    let headPossible = true;
    const { length } = text;
    while (at < length) {
      const unit = text.charCodeAt(at);
      const kind = kinds[unit] ?? 0;
      if (kind === 0) {
        if (unit === 10) {
          previous = 0;
          first = 0;
          headPossible = true;
        } else if (unit === 40 && headPossible) {
          headPossible = false;
          if (previous !== 0 && !ACTING.has(first) && this.opensBody(text, at)) sink.defined(previous);
        } else if (unit === 61) headPossible = false;
        at++;
        continue;
      }
      const end = this.name(text, at, sink);
      const name = this.nameHash;
      if (first === 0) first = name;
      if (DEFINING.has(previous)) sink.defined(name);
      previous = name;
      at = end;
    }
  }

  private nameHash = 0;

  /** Reports the terms of the name at `start` and returns where it ends; `nameHash` is its hash. */
  private name(text: string, start: number, sink: TermSink): number {
    let whole = HASH_START;
    let words = 0;
    let length = 0;
    let at = start;
    let before = 0;
    for (; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      const kind = kinds[unit] ?? 0;
      if (kind === 0) break;
      const lower = lowered[unit] ?? 0;
      whole = step(whole, lower);
      if (length > 0 && this.startsWord(kind, before, text, at)) {
        words += this.word(length, sink);
        length = 0;
      }
      if (kind !== JOINER && length < MAX_NAME_UNITS) {
        this.prefixes[length + 1] = step(length === 0 ? HASH_START : (this.prefixes[length] ?? 0), lower);
        this.units[length] = lower;
        length++;
      }
      before = kind;
    }
    words += this.word(length, sink);
    this.nameHash = finished(whole);
    if (words > 1 && at - start <= MAX_NAME_UNITS) sink.term(this.nameHash);
    return at;
  }

  private startsWord(kind: number, before: number, text: string, at: number): boolean {
    if (kind === JOINER || before === JOINER) return true;
    if (kind === DIGIT) return before !== DIGIT;
    if (kind !== UPPER) return before === DIGIT;
    return before !== UPPER || kinds[text.charCodeAt(at + 1)] === LOWER;
  }

  /** Reports the word read last, `length` units long, without its ending; 1 if it was one. */
  private word(length: number, sink: TermSink): number {
    if (length < 2) return length;
    sink.term(finished(this.prefixes[this.stemLength(length)] ?? 0));
    return 1;
  }

  /** "caches", "cached", "caching" and "cache" are one word. Endings are only ever cut off. */
  private stemLength(length: number): number {
    let left = length;
    const ends = (suffix: string): boolean => {
      for (let i = 0; i < suffix.length; i++) {
        if (this.units[left - suffix.length + i] !== suffix.charCodeAt(i)) return false;
      }
      return true;
    };
    if (left >= 4 && ends('s') && !ends('ss') && !ends('us') && !ends('is')) left--;
    if (left >= 6 && ends('ing')) left = this.undoubled(left - 3);
    else if (left >= 5 && ends('ed')) left = this.undoubled(left - 2);
    if (left >= 4 && ends('e')) left--;
    return left;
  }

  /** "mapped" comes from "map", but "called" from "call". */
  private undoubled(length: number): number {
    const last = this.units[length - 1];
    const isDouble = length >= 4 && last === this.units[length - 2];
    return isDouble && last !== 0x6c && last !== 0x73 && last !== 0x7a ? length - 1 : length;
  }

  /** True when the line that holds `at` ends by opening a block, as the head of a function does. */
  private opensBody(text: string, at: number): boolean {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    while (end > at && text.charCodeAt(end - 1) <= 32) end--;
    return text.charCodeAt(end - 1) === 0x7b;
  }
}
