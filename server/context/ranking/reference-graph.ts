import { definitionsOf, type FileTerms, hashesOf, IN_TEXT, weightOf } from '../index/file-terms';
import type { Graph } from './page-rank';

/** A name that more files define names none of them in particular. */
const MOST_DEFINERS = 2;
/** Of each file, to bound the memory of a large repository. */
const MOST_EDGES = 24;

const NOBODY = new Uint32Array();

/**
 * Which file mentions names that which other file defines. An edge weighs more the fewer files define the name
 * and, slowly, the more often it is mentioned. An import counts because it mentions what it imports.
 */
export function referenceGraph(files: readonly FileTerms[]): Graph {
  const definers = new Definers(files);
  const starts = new Uint32Array(files.length + 1);
  const targets: number[] = [];
  const weights: number[] = [];
  files.forEach((terms, file) => {
    const edges = new Map<number, number>();
    for (const hash of hashesOf(terms)) {
      const those = definers.of(hash);
      if (those.length === 0 || those.includes(file)) continue;
      const weight = Math.sqrt(weightOf(terms, hash) & IN_TEXT) / those.length;
      for (const definer of those) edges.set(definer, (edges.get(definer) ?? 0) + weight);
    }
    const kept = edges.size > MOST_EDGES ? strongest(edges) : [...edges];
    for (const [target, weight] of kept) {
      targets.push(target);
      weights.push(weight);
    }
    starts[file + 1] = targets.length;
  });
  return {
    nodes: files.length,
    starts,
    targets: Uint32Array.from(targets),
    weights: Float32Array.from(weights),
  };
}

function strongest(edges: ReadonlyMap<number, number>): [number, number][] {
  return [...edges].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, MOST_EDGES);
}

/**
 * The files that define each name, as far as they are few: a table in flat arrays, because an object for each of the
 * millions of names in a large repository would take more memory than all the rest.
 */
class Definers {
  private readonly mask: number;
  private readonly hashes: Uint32Array;
  private readonly counts: Uint8Array;
  private readonly files: Uint32Array;

  constructor(files: readonly FileTerms[]) {
    const names = files.reduce((sum, terms) => sum + definitionsOf(terms).length, 0);
    const places = 2 ** Math.ceil(Math.log2(names * 1.5 + 2));
    this.mask = places - 1;
    this.hashes = new Uint32Array(places);
    this.counts = new Uint8Array(places);
    this.files = new Uint32Array(places * MOST_DEFINERS);
    files.forEach((terms, file) => {
      for (const hash of definitionsOf(terms)) this.add(hash, file);
    });
  }

  /** The files that define a name; none where nobody does, or too many do. */
  of(hash: number): Uint32Array {
    const at = this.place(hash);
    const count = this.counts[at] ?? 0;
    if (count === 0 || count > MOST_DEFINERS) return NOBODY;
    const start = at * MOST_DEFINERS;
    return this.files.subarray(start, start + count);
  }

  private add(hash: number, file: number): void {
    const at = this.place(hash);
    const count = this.counts[at] ?? 0;
    this.hashes[at] = hash;
    if (count > MOST_DEFINERS) return;
    if (count < MOST_DEFINERS) this.files[at * MOST_DEFINERS + count] = file;
    this.counts[at] = count + 1;
  }

  private place(hash: number): number {
    let at = hash & this.mask;
    while (this.hashes[at] !== 0 && this.hashes[at] !== hash) at = (at + 1) & this.mask;
    return at;
  }
}
