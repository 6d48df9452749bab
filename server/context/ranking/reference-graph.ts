import { definitionsOf, type FileTerms, hashesOf, IN_TEXT, weightOf } from '../index/file-terms';
import type { Graph } from './page-rank';

/** A name that more files define names none of them in particular. */
const MOST_DEFINERS = 4;
/** Of each file, to bound the memory of a large repository. */
const MOST_EDGES = 24;

/**
 * Which file mentions names that which other file defines. An edge weighs more the fewer files define the name
 * and, slowly, the more often it is mentioned. An import counts because it mentions what it imports.
 */
export function referenceGraph(files: readonly FileTerms[]): Graph {
  const definers = definersOf(files);
  const starts = new Uint32Array(files.length + 1);
  const targets: number[] = [];
  const weights: number[] = [];
  files.forEach((terms, file) => {
    const edges = new Map<number, number>();
    for (const hash of hashesOf(terms)) {
      const found = definers.get(hash);
      if (found === undefined) continue;
      const those = typeof found === 'number' ? [found] : found;
      if (those.length > MOST_DEFINERS || those.includes(file)) continue;
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

/** The files that define each name: one number where it is one, as it mostly is. */
function definersOf(files: readonly FileTerms[]): Map<number, number | number[]> {
  const definers = new Map<number, number | number[]>();
  files.forEach((terms, file) => {
    for (const hash of definitionsOf(terms)) {
      const found = definers.get(hash);
      if (found === undefined) definers.set(hash, file);
      else if (typeof found === 'number') definers.set(hash, [found, file]);
      else if (found.length <= MOST_DEFINERS) found.push(file);
    }
  });
  return definers;
}
