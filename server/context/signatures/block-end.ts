/** Longer blocks than this are not found by their indentation: it is likely no block. */
const MOST_LINES = 2000;

const indentOf = (line: string): number => line.length - line.trimStart().length;

/**
 * The last line of what starts at `line`, told by indentation alone: the lines that are further in than the first, with
 * the line that closes them. Lines count from 1.
 */
export function blockEnd(lines: readonly string[], line: number): number {
  const start = line - 1;
  const indent = indentOf(lines[start] ?? '');
  let end = start;
  for (let at = start + 1; at < Math.min(lines.length, start + MOST_LINES); at++) {
    const text = lines[at] ?? '';
    if (text.trim() === '') continue;
    if (indentOf(text) > indent) end = at;
    else if (indentOf(text) === indent && /^\s*(?:[})\]]|end\b)/.test(text)) {
      end = at;
      // `} else {` and `) {` go on.
      if (!/[{(]\s*$/.test(text)) break;
    } else if (indentOf(text) === indent && text.trim() === '{') end = at;
    else break;
  }
  return end + 1;
}
