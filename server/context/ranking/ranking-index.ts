import MiniSearch from 'minisearch';
import { definitionsIn } from '../../prompt/definitions';
import { questionTerms, termsOf } from './terms';

interface IndexedFile {
  id: string;
  path: string;
  symbols: string;
  text: string;
}

/** A name in the path or a definition says more about a file than a mention in its text. */
const FIELD_BOOST = { path: 3, symbols: 2.5, text: 1 };
const NAME_BOOST = 4;
/** Terms of earlier questions count this much, so that "and where is it used?" finds the same files. */
const EARLIER_BOOST = 0.3;

/** Tests name what they test as often as its source does, but the source is what explains it. */
const TEST_PATH =
  /(?:^|\/)(?:tests?|specs?|__tests__|fixtures?)\/|[._-](?:test|spec)s?\.[^/]*$|(?:^|\/)test_[^/]*$/i;
const TEST_WEIGHT = 0.6;

const MIN_PREFIX_CHARS = 4;

/** Text past this says little more about what a file is about; it keeps the index small. */
const MAX_INDEXED_CHARS = 200_000;

/** Full-text index over paths, defined symbols and text. Files are added, replaced and removed singly. */
export class RankingIndex {
  private readonly hashes = new Map<string, string>();
  private readonly index = new MiniSearch<IndexedFile>({
    fields: ['path', 'symbols', 'text'],
    tokenize: termsOf,
    processTerm: (term) => term,
    searchOptions: { boost: FIELD_BOOST, combineWith: 'OR' },
    // Clearing out removed files happens in `prune`, not on a timer of its own.
    autoVacuum: false,
  });

  /** True when this content of the file is in the index. */
  has(path: string, hash: string): boolean {
    return this.hashes.get(path) === hash;
  }

  /** Adds a file, or replaces what was indexed under its path. */
  put(path: string, hash: string, text: string): void {
    this.remove(path);
    const body = text.length > MAX_INDEXED_CHARS ? text.slice(0, MAX_INDEXED_CHARS) : text;
    const symbols = definitionsIn(body)
      .map((definition) => definition.name)
      .join(' ');
    this.index.add({ id: path, path, symbols, text: body });
    this.hashes.set(path, hash);
  }

  remove(path: string): void {
    if (this.hashes.delete(path)) this.index.discard(path);
  }

  /** Removes all files that are not in `paths`, and reclaims the memory of what was removed before. */
  async prune(paths: ReadonlySet<string>): Promise<void> {
    for (const path of [...this.hashes.keys()]) {
      if (!paths.has(path)) this.remove(path);
    }
    if (this.index.dirtFactor > 0.2) await this.index.vacuum();
  }

  /**
   * Indexed paths by how well they fit the question, best first; files that share no term with it follow in
   * path order. Equal scores are ordered by path, so that the same question gives the same order.
   */
  rank(question: string, earlierQuestions: readonly string[] = []): string[] {
    const weights = termWeights(question, earlierQuestions);
    const aboutTests = ['test', 'tests', 'spec'].some((term) => weights.has(term));
    const results = this.index.search([...weights.keys()].join(' '), {
      tokenize: (terms) => terms.split(' '),
      boostTerm: (term) => weights.get(term)?.boost ?? 1,
      boostDocument: (path) => (!aboutTests && TEST_PATH.test(String(path)) ? TEST_WEIGHT : 1),
      // "cache" also finds "cached"; a name is looked for as it is.
      prefix: (term) => term.length >= MIN_PREFIX_CHARS && weights.get(term)?.isName === false,
    });
    const scored = results
      .map((result) => ({ path: String(result.id), score: result.score }))
      .sort((a, b) => b.score - a.score || (a.path < b.path ? -1 : 1))
      .map((result) => result.path);
    const found = new Set(scored);
    const others = [...this.hashes.keys()].filter((path) => !found.has(path)).sort();
    return [...scored, ...others];
  }
}

interface TermWeight {
  boost: number;
  isName: boolean;
}

function termWeights(question: string, earlierQuestions: readonly string[]): Map<string, TermWeight> {
  const weights = new Map<string, TermWeight>();
  for (const { term, isName } of earlierQuestions.flatMap(questionTerms)) {
    weights.set(term, { boost: EARLIER_BOOST, isName });
  }
  for (const { term, isName } of questionTerms(question)) {
    weights.set(term, { boost: isName ? NAME_BOOST : 1, isName });
  }
  return weights;
}
