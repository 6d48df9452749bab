import { DEFINITION_WEIGHT, type FileTerms, fileTerms, IN_PATH, IN_TEXT } from './file-terms';
import { TermScanner, type TermSink } from './term-scanner';

const MAX_DEFINITIONS = 512;
/** Kept of a file however many files there are, the first ones. */
const FEWEST_DEFINITIONS = 16;
/** Text past this says little more about what a file is about. */
const MAX_SCANNED_CHARS = 400_000;
const FIRST_PLACES = 1 << 14;
const WEIGHTS = 256;

/** Turns texts into `FileTerms`. Keeps its table between files, so that reading one leaves no garbage but the result. */
export class TermCounter implements TermSink {
  private readonly scanner = new TermScanner();
  /** An open table: hashes, 0 where it is free, and their weights. */
  private hashes = new Int32Array(FIRST_PLACES);
  private weights = new Uint8Array(FIRST_PLACES);
  /** Places of the table in the order of their first use. */
  private used = new Int32Array(FIRST_PLACES);
  private usedCount = 0;
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
    // A path defines nothing, whatever its words are.
    if (this.weight === IN_PATH || this.definitions.size >= MAX_DEFINITIONS || this.definitions.has(nameHash))
      return;
    this.definitions.add(nameHash);
    this.add(nameHash, DEFINITION_WEIGHT);
  }

  private add(hash: number, weight: number): void {
    const at = this.claim(hash);
    const before = this.weights[at] as number;
    this.weights[at] =
      weight === IN_PATH
        ? before | IN_PATH
        : (before & IN_PATH) | Math.min(IN_TEXT, (before & IN_TEXT) + weight);
  }

  /** The place of a hash in the table, taken where it was free. */
  private claim(hash: number): number {
    const at = this.find(hash);
    if (this.hashes[at] === hash) return at;
    if (this.usedCount * 2 >= this.hashes.length) {
      this.grow();
      return this.claim(hash);
    }
    this.hashes[at] = hash;
    this.used[this.usedCount++] = at;
    return at;
  }

  private find(hash: number): number {
    const { hashes } = this;
    const mask = hashes.length - 1;
    let at = hash & mask;
    while (hashes[at] !== hash && hashes[at] !== 0) at = (at + 1) & mask;
    return at;
  }

  private grow(): void {
    const { hashes, weights, used, usedCount } = this;
    const places = hashes.length * 2;
    this.hashes = new Int32Array(places);
    this.weights = new Uint8Array(places);
    this.used = new Int32Array(places);
    this.usedCount = 0;
    for (const from of used.subarray(0, usedCount)) {
      this.weights[this.claim(hashes[from] as number)] = weights[from] as number;
    }
  }

  private reset(): void {
    for (let index = 0; index < this.usedCount; index++) {
      const at = this.used[index] as number;
      this.hashes[at] = 0;
      this.weights[at] = 0;
    }
    this.usedCount = 0;
    this.definitions.clear();
    this.length = 0;
  }

  private packed(length: number, mostTerms: number): FileTerms {
    const hashes = this.weightiest(mostTerms).sort();
    const mostNames = Math.max(FEWEST_DEFINITIONS, mostTerms >> 3);
    const definitions = new Int32Array([...this.definitions].slice(0, mostNames)).sort();
    const weights = new Uint8Array(hashes.length);
    for (let at = 0; at < hashes.length; at++) {
      weights[at] = this.weights[this.find(hashes[at] as number)] as number;
    }
    return fileTerms({ hashes, definitions, length, weights });
  }

  /** The hashes of the weightiest terms; of equal weight, those that come first. */
  private weightiest(most: number): Int32Array {
    const { hashes, weights, used, usedCount } = this;
    const lightest = usedCount > most ? this.lightestOf(most) : { weight: 0, kept: usedCount };
    const kept = new Int32Array(Math.min(most, usedCount));
    let count = 0;
    let ofLightest = lightest.kept;
    for (let index = 0; index < usedCount; index++) {
      const at = used[index] as number;
      const weight = weights[at] as number;
      if (weight < lightest.weight || (weight === lightest.weight && ofLightest-- <= 0)) continue;
      kept[count++] = hashes[at] as number;
    }
    return kept;
  }

  /** The least weight among the `most` weightiest terms, and how many of that weight belong to them. */
  private lightestOf(most: number): { weight: number; kept: number } {
    const counts = new Uint32Array(WEIGHTS);
    for (let index = 0; index < this.usedCount; index++) {
      const weight = this.weights[this.used[index] as number] as number;
      counts[weight] = (counts[weight] as number) + 1;
    }
    let left = most;
    for (let weight = WEIGHTS - 1; weight > 0; weight--) {
      const count = counts[weight] as number;
      if (count >= left) return { weight, kept: left };
      left -= count;
    }
    return { weight: 0, kept: left };
  }
}
