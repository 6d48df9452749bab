import { hashOfName, TermScanner } from '../index/term-scanner';
import { questionTerms } from './terms';

/** A name of something in code points at one place; words point at many. */
const NAME_BOOST = 4;
/** Terms of earlier questions count this much, so that "and where is it used?" finds the same files. */
const EARLIER_BOOST = 0.3;

/** What to look for: boosts by the hash of a term, as the index has them. */
export interface Query {
  boosts: ReadonlyMap<number, number>;
  /** Hashes of whole names in the question: a file that defines one of them is likely meant. */
  names: readonly number[];
  /** The question is about tests. */
  aboutTests: boolean;
  /** The file in front of the user. */
  openEditor?: string | undefined;
}

export function queryOf(
  question: string,
  earlierQuestions: readonly string[] = [],
  openEditor?: string,
): Query {
  const boosts = new Map<number, number>();
  const scanner = new TermScanner();
  for (const { term } of earlierQuestions.flatMap(questionTerms)) {
    for (const hash of wordsOf(scanner, term)) boosts.set(hash, EARLIER_BOOST);
  }
  const terms = questionTerms(question);
  const names: number[] = [];
  for (const { term, isName } of terms) {
    if (isName) {
      names.push(hashOfName(term));
      boosts.set(hashOfName(term), NAME_BOOST);
    } else for (const hash of wordsOf(scanner, term)) boosts.set(hash, Math.max(1, boosts.get(hash) ?? 0));
  }
  const aboutTests = terms.some(({ term }) => ['test', 'tests', 'spec'].includes(term));
  return { boosts, names, aboutTests, openEditor };
}

function wordsOf(scanner: TermScanner, term: string): number[] {
  const hashes: number[] = [];
  scanner.scan(term, { term: (hash) => hashes.push(hash), defined: () => undefined });
  return hashes;
}
