import type { SymbolPlace } from '../../protocol';

/** Where a name stands in a text; both count from 0. */
export interface NamedPlace {
  line: number;
  column: number;
}

/** The line that holds the symbol as a whole word and is nearest to where it was defined; undefined when none does. */
export function nearestNamed(
  lines: readonly string[],
  { line, symbol }: SymbolPlace,
): NamedPlace | undefined {
  const escaped = symbol.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  const word = new RegExp(`(?<![\\p{L}\\p{N}_$])${escaped}(?![\\p{L}\\p{N}_$])`, 'u');
  let best: NamedPlace | undefined;
  lines.forEach((text, at) => {
    const column = text.search(word);
    if (column < 0) return;
    if (!best || Math.abs(at - (line - 1)) < Math.abs(best.line - (line - 1))) best = { line: at, column };
  });
  return best;
}
