import type { Citation } from '../../protocol';
import {
  type Claim,
  claimsIn,
  MIN_QUOTE_CHARS,
  partsOfName,
  sentenceAround,
  type WrittenPlace,
  writtenPlacesIn,
} from './claims';
import type { PackedText } from './packed-text';
import { type LineRange, SearchableText } from './text-search';

/** More would bury the answer. */
const MAX_CITATIONS = 12;
/** A name that is defined or quoted in more places than this points nowhere. */
const MAX_PLACES = 2;

/**
 * The places that an answer speaks of. Written ones are taken as they are and checked; others are derived
 * from names and quoted text that stand in what was packed. Nothing is cited that the text does not hold,
 * except what the answer wrote itself, which is then marked as not verified.
 *
 * `question` lends its names to an answer that gives only a value: the line that holds both is cited.
 */
export function citationsOf(answer: string, question: string, packed: readonly PackedText[]): Citation[] {
  const texts = packed.map((text) => new SearchableText(text));
  const claims = claimsIn(answer);
  const written = writtenPlacesIn(answer).map((place) => checkWritten(place, answer, claims, texts));
  const derived = claims.flatMap((claim) => derive(claim, answer, texts));
  const fromValues = derived.some((citation) => citation.verified)
    ? []
    : fromQuestion(answer, question, texts);
  return withoutRepeats([...written, ...derived, ...fromValues]).slice(0, MAX_CITATIONS);
}

/** True only if the lines hold a name or quote of the sentence that refers to them. */
function checkWritten(
  place: WrittenPlace,
  answer: string,
  claims: readonly Claim[],
  texts: readonly SearchableText[],
): Citation {
  const path = resolvePath(place.path, texts);
  const sentence = sentenceAround(answer, place.at);
  const nearby = claims.filter((claim) => claim.at >= sentence.start && claim.at < sentence.end);
  const range = { path: path ?? place.path, startLine: place.startLine, endLine: place.endLine };
  const held = nearby.find((claim) => texts.some((text) => text.path === path && holds(text, range, claim)));
  const claim = held ?? nearby.find((near) => near.text !== place.path);
  return { ...range, verified: held !== undefined, origin: 'written', claim: claim?.text.trim() ?? '' };
}

function holds(text: SearchableText, range: LineRange, claim: Claim): boolean {
  return claim.kind === 'symbol'
    ? partsOfName(claim.text).some((name) => text.holdsName(range, name))
    : text.holdsQuote(range, claim.text);
}

/** The packed path that is meant: the same, or the only one that ends so. */
function resolvePath(path: string, texts: readonly SearchableText[]): string | undefined {
  const paths = [...new Set(texts.map((text) => text.path))];
  if (paths.includes(path)) return path;
  const ending = paths.filter((candidate) => candidate.endsWith(`/${path}`));
  return ending.length === 1 ? ending[0] : undefined;
}

function derive(claim: Claim, answer: string, texts: readonly SearchableText[]): Citation[] {
  if (isPath(claim.text, texts)) return [];
  const places = claim.kind === 'symbol' ? placesOfName(claim.text, texts) : placesOfQuote(claim.text, texts);
  const meant = preferNamedFiles(places, answer, texts);
  if (meant.length > MAX_PLACES) return [];
  const text = claim.text.trim();
  return meant.map((range) => ({ ...range, verified: true, origin: claim.kind, claim: text }));
}

/** A path in backticks says which file is meant, not what stands in it. */
function isPath(text: string, texts: readonly SearchableText[]): boolean {
  return /^\S*\/\S*$/.test(text) || resolvePath(text, texts) !== undefined;
}

/** Where a name is defined; failing that, its only mentions. The last part of `a.b` is looked for first. */
function placesOfName(claimed: string, texts: readonly SearchableText[]): LineRange[] {
  for (const name of partsOfName(claimed)) {
    const defined = texts.flatMap((text) => text.definitionsOf(name));
    if (defined.length > 0) return defined;
    const mentioned = texts.flatMap((text) => text.mentionsOf(name));
    if (mentioned.length > 0) return mentioned;
  }
  return [];
}

function placesOfQuote(quote: string, texts: readonly SearchableText[]): LineRange[] {
  const line = quote.trim();
  if (!line.includes('\n'))
    return line.length < MIN_QUOTE_CHARS ? [] : texts.flatMap((text) => text.linesWith(line));
  const whole = texts.flatMap((text) => text.runsOf(quote));
  if (whole.length > 0) return whole;
  // Small models change a line or leave one out: the longest part of the quote that is there counts.
  return longestPart(quote.split('\n'), texts);
}

const MIN_PART_LINES = 2;

function longestPart(lines: readonly string[], texts: readonly SearchableText[]): LineRange[] {
  for (let length = lines.length - 1; length >= MIN_PART_LINES; length--) {
    for (let start = 0; start + length <= lines.length; start++) {
      const part = lines.slice(start, start + length).join('\n');
      const found = texts.flatMap((text) => text.runsOf(part));
      if (found.length > 0) return found;
    }
  }
  return [];
}

/** When the answer names one of the files, that one is meant. */
function preferNamedFiles(
  places: readonly LineRange[],
  answer: string,
  texts: readonly SearchableText[],
): readonly LineRange[] {
  if (places.length <= 1) return places;
  const named = new Set(texts.map((text) => text.path).filter((path) => answer.includes(path)));
  const there = places.filter((place) => named.has(place.path));
  return there.length > 0 ? there : places;
}

/** Lines that hold a name of the question together with a number or quoted text of the answer. */
function fromQuestion(answer: string, question: string, texts: readonly SearchableText[]): Citation[] {
  const names = claimsIn(question).filter((claim) => claim.kind === 'symbol');
  const values = valuesIn(answer);
  return names.flatMap((name) => {
    const mentions = texts.flatMap((text) => text.mentionsOf(name.text));
    return values.flatMap((value): Citation[] => {
      const places = mentions.filter((range) =>
        texts.some((text) => text.path === range.path && text.holdsName(range, value)),
      );
      if (places.length > MAX_PLACES) return [];
      return places.map((range) => ({ ...range, verified: true, origin: 'quote', claim: value }));
    });
  });
}

/** Numbers and quoted text; a number that the answer groups with commas also without them. */
function valuesIn(answer: string): string[] {
  const values = answer.match(/\d+(?:[.,_]\d+)*|"[^"\n]+"|'[^'\n]+'/g) ?? [];
  const bare = values.map((value) => value.replaceAll(/^["']|["']$/g, ''));
  return [...new Set([...bare, ...bare.map((value) => value.replaceAll(/(?<=\d),(?=\d)/g, ''))])];
}

/** The first citation of each place; one inside a place that is cited already adds nothing. */
function withoutRepeats(citations: readonly Citation[]): Citation[] {
  const kept: Citation[] = [];
  for (const citation of citations) {
    const repeated = kept.some(
      (other) =>
        other.path === citation.path &&
        other.verified === citation.verified &&
        other.startLine <= citation.startLine &&
        other.endLine >= citation.endLine,
    );
    if (!repeated) kept.push(citation);
  }
  return kept;
}
