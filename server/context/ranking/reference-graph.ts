import { definitionsAt, hashesAt, IN_TEXT, weightAt } from '../index/file-terms';
import { NO_TERMS, type TermStore } from '../index/term-store';
import type { Graph } from './page-rank';

/** A name that more files define names none of them in particular. */
const MOST_DEFINERS = 2;
/** Of each file, to bound the memory of a large repository. */
const MOST_EDGES = 24;
/** Places in the table of names, for each of them. */
const ROOM = 1.4;

/**
 * Which file mentions names that which other file defines. An edge weighs more the fewer files define the name
 * and, slowly, the more often it is mentioned. An import counts because it mentions what it imports.
 *
 * @param files references to the terms of each
 */
export function referenceGraph(terms: TermStore, files: Int32Array): Graph {
  const definers = new Definers(terms, files);
  const starts = new Uint32Array(files.length + 1);
  let targets = new Uint32Array(files.length * 4);
  let weights = new Float32Array(targets.length);
  let edges = 0;
  files.forEach((reference, file) => {
    const ofFile =
      reference === NO_TERMS ? new Map<number, number>() : edgesOf(terms, reference, file, definers);
    if (edges + MOST_EDGES > targets.length) {
      targets = grown(targets, new Uint32Array((targets.length + MOST_EDGES) * 2));
      weights = grown(weights, new Float32Array(targets.length));
    }
    for (const [target, weight] of ofFile.size > MOST_EDGES ? strongest(ofFile) : ofFile) {
      targets[edges] = target;
      weights[edges++] = weight;
    }
    starts[file + 1] = edges;
  });
  return { nodes: files.length, starts, targets, weights };
}

function grown<A extends Uint32Array | Float32Array>(from: A, to: A): A {
  to.set(from);
  return to;
}

function edgesOf(terms: TermStore, reference: number, file: number, definers: Definers): Map<number, number> {
  const words = terms.wordsOf(reference);
  const at = terms.placeOf(reference);
  const [start, end] = hashesAt(words, at);
  const edges = new Map<number, number>();
  for (let place = start; place < end; place++) {
    const found = definers.find(words[place] as number);
    const count = definers.countAt(found);
    if (count === 0) continue;
    const first = definers.fileAt(found, 0);
    const second = count > 1 ? definers.fileAt(found, 1) : first;
    if (first === file || second === file) continue;
    const weight = Math.sqrt(weightAt(words, at, place - start) & IN_TEXT) / count;
    edges.set(first, (edges.get(first) ?? 0) + weight);
    if (count > 1) edges.set(second, (edges.get(second) ?? 0) + weight);
  }
  return edges;
}

function strongest(edges: ReadonlyMap<number, number>): [number, number][] {
  return [...edges].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, MOST_EDGES);
}

/**
 * The files that define each name, as far as they are few: a table in flat arrays, because an object for each of the
 * millions of names in a large repository would take more memory than all the rest.
 */
class Definers {
  private readonly places: number;
  private readonly hashes: Int32Array;
  private readonly counts: Uint8Array;
  private readonly files: Uint32Array;

  constructor(terms: TermStore, files: Int32Array) {
    const names = files.reduce((sum, reference) => sum + definitionCount(terms, reference), 0);
    const places = Math.ceil(names * ROOM) + 2;
    this.places = places;
    this.hashes = new Int32Array(places);
    this.counts = new Uint8Array(places);
    this.files = new Uint32Array(places * MOST_DEFINERS);
    files.forEach((reference, file) => {
      if (reference === NO_TERMS) return;
      const words = terms.wordsOf(reference);
      const [start, end] = definitionsAt(words, terms.placeOf(reference));
      for (let place = start; place < end; place++) this.add(words[place] as number, file);
    });
  }

  /** The place of a name in the table, whether or not it is there. */
  find(hash: number): number {
    // By the high bits: any number of places will do, where the low bits need a power of two.
    let at = Math.floor(((hash >>> 0) / 2 ** 32) * this.places);
    while (this.hashes[at] !== 0 && this.hashes[at] !== hash) at = at + 1 === this.places ? 0 : at + 1;
    return at;
  }

  /** How many files define the name there; 0 where nobody does, or too many do. */
  countAt(place: number): number {
    const count = this.counts[place] as number;
    return count > MOST_DEFINERS ? 0 : count;
  }

  fileAt(place: number, index: number): number {
    return this.files[place * MOST_DEFINERS + index] as number;
  }

  private add(hash: number, file: number): void {
    const at = this.find(hash);
    const count = this.counts[at] as number;
    this.hashes[at] = hash;
    if (count > MOST_DEFINERS) return;
    if (count < MOST_DEFINERS) this.files[at * MOST_DEFINERS + count] = file;
    this.counts[at] = count + 1;
  }
}

function definitionCount(terms: TermStore, reference: number): number {
  if (reference === NO_TERMS) return 0;
  const [start, end] = definitionsAt(terms.wordsOf(reference), terms.placeOf(reference));
  return end - start;
}
