import { TermScanner } from '../index/term-scanner';
import type { Signature } from './signatures';

/** A file with more of them is not told better by all. */
const MOST_SHOWN = 24;
/** Those that a question finds are few; the rest of the room is for other files. */
const MOST_SHOWN_FOR_QUESTION = 12;

/**
 * Of many signatures, some, in the order of the file: those that share the most with the question, given by the boosts
 * of its terms, else the outermost.
 */
export function mostTelling(
  signatures: readonly Signature[],
  boosts?: ReadonlyMap<number, number>,
): readonly Signature[] {
  const most = boosts ? MOST_SHOWN_FOR_QUESTION : MOST_SHOWN;
  if (signatures.length <= most) return signatures;
  const scanner = new TermScanner();
  const scored = signatures.map((signature, at) => ({
    signature,
    at,
    score: (boosts ? boostOf(scanner, signature.text, boosts) : 0) - signature.depth * 0.1,
  }));
  return scored
    .sort((a, b) => b.score - a.score || a.at - b.at)
    .slice(0, most)
    .sort((a, b) => a.at - b.at)
    .map(({ signature }) => signature);
}

function boostOf(scanner: TermScanner, text: string, boosts: ReadonlyMap<number, number>): number {
  const found = new Set<number>();
  scanner.scan(text, { term: (hash) => found.add(hash), defined: () => undefined });
  return [...found].reduce((sum, hash) => sum + (boosts.get(hash) ?? 0), 0);
}
