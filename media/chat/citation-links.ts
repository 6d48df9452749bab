import type { Citation } from '../../protocol';

/** A stretch of text, with the number of the citation that it names. */
export interface LinkedText {
  text: string;
  citation?: number;
}

/** How a place is written: `src/a.ts:12-20`, `src/a.ts:12`. */
export function placeText({
  path,
  startLine,
  endLine,
}: Pick<Citation, 'path' | 'startLine' | 'endLine'>): string {
  return endLine > startLine ? `${path}:${startLine}-${endLine}` : `${path}:${startLine}`;
}

/**
 * Splits `text` where it names a cited place: a cited path, alone or followed by `:12`, `:12-20` or `#L12-L20`.
 * A place that is not among the citations stays text.
 */
export function linkCitations(text: string, citations: readonly Citation[]): LinkedText[] {
  if (!citations.length) return [{ text }];
  const paths = [...new Set(citations.map(({ path }) => path))].sort((a, b) => b.length - a.length);
  // No path character may precede or follow, so that `a.ts` is not found in `data.tsx`.
  const place = new RegExp(
    `(?<![\\w/.-])(${paths.map(quoted).join('|')})(?:(?::|#L)(\\d+)(?:[-–]L?(\\d+))?)?(?![\\w/-]|\\.\\w)`,
    'g',
  );
  const parts: LinkedText[] = [];
  let end = 0;
  for (const match of text.matchAll(place)) {
    const citation = citationAt(citations, match[1] ?? '', match[2], match[3]);
    if (citation < 0) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index) });
    parts.push({ text: match[0], citation });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}

/** The citation of these lines of `path`; without lines, the first one of `path`. -1: none. */
function citationAt(citations: readonly Citation[], path: string, start?: string, end?: string): number {
  return citations.findIndex((each) => {
    if (each.path !== path) return false;
    if (start === undefined) return true;
    return each.startLine === Number(start) && each.endLine === Number(end ?? start);
  });
}

function quoted(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}
