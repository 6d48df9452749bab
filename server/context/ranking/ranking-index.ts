import {
  defines,
  type FileTerms,
  IN_PATH,
  IN_TEXT,
  TermCounter,
  textLength,
  weightOf,
} from '../index/file-terms';
import { baseWeight, isTestPath } from './base-order';
import { pageRank } from './page-rank';
import type { Query } from './question-terms';
import { referenceGraph } from './reference-graph';

/** BM25's own parameters: how soon repetition saturates, and how much longer files are held back. */
const SATURATION = 1.5;
const LENGTH_SHARE = 0.6;
/** What a term in the path gains, where one mention in a text of usual length gains 1. */
const PATH_GAIN = 1.5;

/** Tests name what they test as often as its source does, but the source is what explains it. */
const TEST_WEIGHT = 0.6;
/** Of the best score: what a file that defines a name in the question gains. */
const DEFINER_GAIN = 0.5;
/** The same for the file in front of the user. */
const OPEN_GAIN = 0.3;

/** Memory for terms of all files, in bytes; with more files, each keeps fewer of them. */
const TERM_BYTES = 80 * 1024 * 1024;
const BYTES_PER_TERM = 5;
const FEWEST_TERMS = 128;
const MOST_TERMS = 4096;

/** With more files, what of the graph a few of them change is not computed again. */
const STALE_SHARE = 0.02;

interface Indexed {
  hash: string;
  terms: FileTerms;
}

/**
 * Ranks files for a question by BM25 over paths, defined names and text, and, whatever the question is, by how
 * much the rest of the repository refers to them. Terms are kept as hashes, a file at a time, and looked through
 * for each question: no list by term has to be mended when a file changes, and memory is bounded.
 */
export class RankingIndex {
  private readonly files = new Map<string, Indexed>();
  private readonly counter = new TermCounter();
  private importance = new Map<string, number>();
  private changedSinceRanked = 0;

  /** @param expectedFiles how many files there are, which says how many terms each may keep */
  mostTerms(expectedFiles: number): number {
    const each = Math.floor(TERM_BYTES / BYTES_PER_TERM / Math.max(1, expectedFiles));
    return Math.min(MOST_TERMS, Math.max(FEWEST_TERMS, each));
  }

  /** True when this content of the file is in the index. */
  has(path: string, hash: string): boolean {
    return this.files.get(path)?.hash === hash;
  }

  /** Adds a file, or replaces what was indexed under its path. */
  put(path: string, hash: string, text: string, mostTerms = MOST_TERMS): void {
    this.restore(path, hash, this.counter.count(path, text, mostTerms));
    this.changedSinceRanked++;
  }

  /** Adds a file whose terms are known. */
  restore(path: string, hash: string, terms: FileTerms): void {
    this.files.set(path, { hash, terms });
  }

  termsOf(path: string): FileTerms | undefined {
    return this.files.get(path)?.terms;
  }

  remove(path: string): void {
    if (this.files.delete(path)) this.changedSinceRanked++;
  }

  /** Removes all files that are not in `paths`. */
  prune(paths: ReadonlySet<string>): void {
    for (const path of this.files.keys()) {
      if (!paths.has(path)) this.remove(path);
    }
  }

  /**
   * Indexed paths by how well they fit the question, best first; files that share no term with it follow, the
   * most referred to first. Equal scores are ordered by path, so that the same question gives the same order.
   */
  rank(query: Query): string[] {
    const scores = this.scores(query);
    return sortedBy([...this.files.keys()], (path) => scores.get(path) ?? 0);
  }

  /** Shares of importance by path, whatever is asked; they sum to 1. */
  rankedImportance(): ReadonlyMap<string, number> {
    const stale = this.changedSinceRanked > this.files.size * STALE_SHARE;
    if (stale || this.importance.size === 0) {
      this.importance = this.computeImportance();
      this.changedSinceRanked = 0;
    }
    return this.importance;
  }

  /** Takes over the importance that an earlier run has computed. */
  restoreImportance(importance: Map<string, number>): void {
    this.importance = importance;
    this.changedSinceRanked = 0;
  }

  private computeImportance(): Map<string, number> {
    const paths = [...this.files.keys()].sort();
    const graph = referenceGraph(paths.map((path) => this.files.get(path)?.terms ?? new Uint32Array(3)));
    const restart = Float64Array.from(paths, baseWeight);
    const total = restart.reduce((sum, weight) => sum + weight, 0);
    const ranks = pageRank(
      graph,
      restart.map((weight) => weight / total),
    );
    return new Map(paths.map((path, node) => [path, (ranks[node] ?? 0) * (isTestPath(path) ? 0.1 : 1)]));
  }

  private scores({ boosts, names, aboutTests, openEditor }: Query): Map<string, number> {
    const queried = [...boosts];
    const entries = [...this.files];
    const weights = new Uint8Array(entries.length * queried.length);
    const containing = new Uint32Array(queried.length);
    const inPaths = new Uint32Array(queried.length);
    let totalLength = 0;
    entries.forEach(([, { terms }], file) => {
      totalLength += textLength(terms);
      queried.forEach(([hash], term) => {
        const weight = weightOf(terms, hash);
        if (weight === 0) return;
        weights[file * queried.length + term] = weight;
        containing[term] = (containing[term] ?? 0) + 1;
        if (weight & IN_PATH) inPaths[term] = (inPaths[term] ?? 0) + 1;
      });
    });
    const meanLength = totalLength / Math.max(1, entries.length);
    const rarity = queried.map(([, boost], term) => boost * idf(entries.length, containing[term] ?? 0));
    const rarityInPaths = queried.map(([, boost], term) => boost * idf(entries.length, inPaths[term] ?? 0));
    const scores = new Map<string, number>();
    let best = 0;
    entries.forEach(([path, { terms }], file) => {
      const norm =
        SATURATION * (1 - LENGTH_SHARE + (LENGTH_SHARE * textLength(terms)) / Math.max(1, meanLength));
      let score = 0;
      rarity.forEach((rare, term) => {
        const weight = weights[file * rarity.length + term] ?? 0;
        const inText = weight & IN_TEXT;
        score += (rare * inText * (SATURATION + 1)) / (inText + norm);
        if (weight & IN_PATH) score += (rarityInPaths[term] ?? 0) * PATH_GAIN;
      });
      if (score === 0) return;
      if (!aboutTests && isTestPath(path)) score *= TEST_WEIGHT;
      best = Math.max(best, score);
      scores.set(path, score);
    });
    for (const [path, { terms }] of names.length > 0 ? entries : []) {
      if (names.some((name) => defines(terms, name))) {
        scores.set(path, (scores.get(path) ?? 0) + DEFINER_GAIN * best);
      }
    }
    if (openEditor !== undefined && this.files.has(openEditor)) {
      scores.set(openEditor, (scores.get(openEditor) ?? 0) + OPEN_GAIN * best);
    }
    return scores;
  }
}

function idf(files: number, containing: number): number {
  return Math.log(1 + (files - containing + 0.5) / (containing + 0.5));
}

/** Highest first; by path where that is equal. */
function sortedBy(paths: string[], value: (path: string) => number): string[] {
  return paths
    .map((path) => ({ path, value: value(path) }))
    .sort((a, b) => b.value - a.value || (a.path < b.path ? -1 : 1))
    .map(({ path }) => path);
}
