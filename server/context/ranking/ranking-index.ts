import type { Candidate } from '../../prompt/fill';
import { rowsByKey, withRow } from '../index/columns';
import { defines, type FileTerms } from '../index/file-terms';
import { TermCounter } from '../index/term-counter';
import { NO_TERMS, TermStore } from '../index/term-store';
import { baseWeight, isTestPath } from './base-order';
import { pageRank } from './page-rank';
import type { Query } from './question-terms';
import { referenceGraph } from './reference-graph';
import { textScores } from './text-scores';

/** Tests name what they test as often as its source does, but the source is what explains it. */
const TEST_WEIGHT = 0.6;
/** Whatever is asked, a test tells this much of what its references would give it. */
const TEST_IMPORTANCE = 0.1;
/** Of the best score: what a file that defines a name in the question gains. */
const DEFINER_GAIN = 0.5;
/** The same for the file in front of the user. */
const OPEN_GAIN = 0.3;
/** Of its own score: what a file that was worked on last gains. Little, since most questions are about what is old. */
const RECENT_GAIN = 0.1;

/** Memory for terms of all files, in bytes; with more files, each keeps fewer of them. */
const TERM_BYTES = 80 * 1024 * 1024;
const BYTES_PER_TERM = 5;
const FEWEST_TERMS = 128;
const MOST_TERMS = 4096;

/** With more files, what of the graph a few of them change is not computed again. */
const STALE_SHARE = 0.02;

/**
 * Ranks files for a question by BM25 over paths, defined names and text, and, whatever the question is, by how
 * much the rest of the repository refers to them. Terms are kept as hashes, a file at a time, and looked through
 * for each question: no list by term has to be mended when a file changes, and memory is bounded.
 */
export class RankingIndex {
  /** Each file has a row in the columns. */
  private readonly rows = new Map<string, number>();
  private paths: string[] = [];
  private references = new Int32Array();
  private revisions = new Int32Array();
  /** Of the walk over references; 0 where it was not computed. */
  private importance = new Float64Array();
  private readonly freeRows: number[] = [];
  private terms: TermStore;
  private readonly counter = new TermCounter();
  /** Rows in the order of their paths, until a file comes or goes. */
  private inOrder: Int32Array | undefined;
  private isImportanceKnown = false;
  private changedSinceRanked = 0;

  /** @param folder where terms are put that are not looked at just now; without one they stay in memory */
  constructor(private readonly folder?: string) {
    this.terms = new TermStore(folder);
  }

  get size(): number {
    return this.rows.size;
  }

  /** @param expectedFiles how many files there are, which says how many terms each may keep */
  mostTerms(expectedFiles: number): number {
    const each = Math.floor(TERM_BYTES / BYTES_PER_TERM / Math.max(1, expectedFiles));
    return Math.min(MOST_TERMS, Math.max(FEWEST_TERMS, each));
  }

  /** True when this revision of the file's text is in the index. */
  has(path: string, revision: number): boolean {
    const row = this.rows.get(path);
    return row !== undefined && this.revisions[row] === revision;
  }

  /** Adds a file, or replaces what was indexed under its path. */
  put(path: string, revision: number, text: string, mostTerms = MOST_TERMS): void {
    this.putTerms(path, revision, this.counter.count(path, text, mostTerms));
  }

  /** Adds a file whose terms were counted elsewhere; they are copied. */
  putTerms(path: string, revision: number, terms: FileTerms): void {
    this.compact();
    this.restore(path, revision, this.terms.add(terms), 0);
    this.changedSinceRanked++;
  }

  /** Takes over the terms of an earlier run, before its files are added. */
  restoreTerms(terms: TermStore): void {
    this.moveTermsTo(terms);
    this.isImportanceKnown = true;
  }

  /** Adds a file of an earlier run. @param reference to its terms in those of `restoreTerms` */
  restore(path: string, revision: number, reference: number, importance: number): void {
    const row = this.rows.get(path) ?? this.newRow(path);
    this.terms.free(this.references[row] ?? NO_TERMS);
    this.references[row] = reference;
    this.revisions[row] = revision;
    if (importance > 0) this.importance[row] = importance;
  }

  /** Files that define a name of this hash. */
  definersOf(nameHash: number): string[] {
    const { terms } = this;
    const isDefiner = (reference: number): boolean =>
      reference !== NO_TERMS && defines(terms.wordsOf(reference), terms.placeOf(reference), nameHash);
    return [...this.rows].flatMap(([path, row]) =>
      isDefiner(this.references[row] ?? NO_TERMS) ? [path] : [],
    );
  }

  remove(path: string): void {
    const row = this.rows.get(path);
    if (row === undefined) return;
    this.terms.free(this.references[row] ?? NO_TERMS);
    this.rows.delete(path);
    this.paths[row] = '';
    this.references[row] = NO_TERMS;
    this.importance[row] = 0;
    this.freeRows.push(row);
    this.inOrder = undefined;
    this.changedSinceRanked++;
  }

  clear(): void {
    for (const path of this.rows.keys()) this.remove(path);
    this.moveTermsTo(new TermStore(this.folder));
    this.isImportanceKnown = false;
  }

  /** Removes all files that are not in `paths`. */
  prune(paths: ReadonlySet<string>): void {
    for (const path of this.rows.keys()) {
      if (!paths.has(path)) this.remove(path);
    }
  }

  /**
   * Indexed paths by how well they fit the question, best first; files that share no term with it follow. Equal scores
   * are ordered by path, so that the same question gives the same order.
   * @param recency of a path: 1 for what was worked on last, towards 0 for what was not for long
   */
  rank(query: Query, recency?: (path: string) => number): string[] {
    const order = this.order();
    const scores = this.scores(query, order);
    if (recency) {
      order.forEach((row, at) => {
        const score = scores[at] as number;
        if (score > 0) scores[at] = score * (1 + RECENT_GAIN * recency(this.paths[row] as string));
      });
    }
    return Array.from(rowsByKey(scores), (at) => this.paths[order[at] as number] as string);
  }

  /** `paths` by how much of the repository refers to them, whatever is asked: the shares of all sum to 1 at most. */
  rankBase(paths: readonly string[]): Candidate[] {
    this.bringImportanceUpToDate();
    const scores = Float64Array.from(paths, (path) => {
      const row = this.rows.get(path);
      return row === undefined ? 0 : (this.importance[row] as number);
    });
    return Array.from(rowsByKey(scores), (at) => ({
      path: paths[at] as string,
      likelihood: scores[at] as number,
    }));
  }

  /** What there is to save of each path: a reference into `terms`, or none, and its importance. */
  savedColumns(paths: readonly string[]): {
    terms: TermStore;
    references: Int32Array;
    importance: Float64Array;
  } {
    this.bringImportanceUpToDate();
    const rows = paths.map((path) => this.rows.get(path) ?? -1);
    return {
      terms: this.terms,
      references: Int32Array.from(rows, (row) => this.references[row] ?? NO_TERMS),
      importance: Float64Array.from(rows, (row) => this.importance[row] ?? 0),
    };
  }

  private newRow(path: string): number {
    const row = this.freeRows.pop() ?? this.paths.length;
    this.rows.set(path, row);
    this.paths[row] = path;
    this.references = withRow(this.references, row);
    this.references[row] = NO_TERMS;
    this.revisions = withRow(this.revisions, row);
    this.importance = withRow(this.importance, row);
    this.inOrder = undefined;
    return row;
  }

  private order(): Int32Array {
    this.inOrder ??= Int32Array.from(
      [...this.rows].sort(([a], [b]) => (a < b ? -1 : 1)),
      ([, row]) => row,
    );
    return this.inOrder;
  }

  /** Moves the terms together once many of them are those of texts that changed. */
  private compact(): void {
    if (this.terms.isWasteful) this.moveTermsTo(new TermStore(this.folder));
  }

  private moveTermsTo(terms: TermStore): void {
    for (const row of this.rows.values()) {
      const reference = this.references[row] ?? NO_TERMS;
      if (reference !== NO_TERMS) this.references[row] = terms.add(this.terms.view(reference));
    }
    this.terms.release();
    this.terms = terms;
  }

  private bringImportanceUpToDate(): void {
    const isStale = this.changedSinceRanked > this.rows.size * STALE_SHARE;
    if (this.isImportanceKnown && !isStale) return;
    const order = this.order();
    const ranks = pageRank(
      referenceGraph(
        this.terms,
        order.map((row) => this.references[row] as number),
      ),
      this.restart(order),
    );
    order.forEach((row, node) => {
      const share = isTestPath(this.paths[row] as string) ? TEST_IMPORTANCE : 1;
      this.importance[row] = (ranks[node] as number) * share;
    });
    this.isImportanceKnown = true;
    this.changedSinceRanked = 0;
  }

  /** Where a reader who knows nothing but the paths would start, with which probability. */
  private restart(order: Int32Array): Float64Array {
    const weights = Float64Array.from(order, (row) => baseWeight(this.paths[row] as string));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => weight / total);
  }

  /** For the rows of `order`. */
  private scores({ boosts, names, aboutTests, openEditor }: Query, order: Int32Array): Float64Array {
    const references = order.map((row) => this.references[row] as number);
    const { scores, defining } = textScores(this.terms, references, boosts, names);
    if (!aboutTests) {
      order.forEach((row, at) => {
        const score = scores[at] as number;
        if (score !== 0 && isTestPath(this.paths[row] as string)) scores[at] = score * TEST_WEIGHT;
      });
    }
    const best = scores.reduce((most, score) => Math.max(most, score), 0);
    for (const at of defining) scores[at] = (scores[at] as number) + DEFINER_GAIN * best;
    const open = openEditor === undefined ? undefined : this.rows.get(openEditor);
    if (open !== undefined) {
      const at = order.indexOf(open);
      scores[at] = (scores[at] as number) + OPEN_GAIN * best;
    }
    return scores;
  }
}
