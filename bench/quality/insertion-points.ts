import type { SourceFile } from './fetch';
import type { Language } from './sets';

/** Between two statements of a file, where its author left a line empty: before line `line`, counted from 0. */
export interface InsertionPoint {
  file: number;
  line: number;
  /** Of the statement that follows. */
  indentation: string;
  /** Characters of all files before it: its depth. */
  chars: number;
}

/** Where a statement may be inserted, in order of depth. */
export function insertionPoints(files: readonly SourceFile[], language: Language): InsertionPoint[] {
  const points: InsertionPoint[] = [];
  let before = 0;
  for (const [file, { text }] of files.entries()) {
    const lines = text.split('\n');
    const outside = outsideOfComments(lines, language);
    let chars = before;
    for (const [line, words] of lines.entries()) {
      const [, indentation] = /^(\s*)[\w#@/]/.exec(words) ?? [];
      const isBehindEmpty = line > 0 && lines[line - 1]?.trim() === '';
      if (indentation !== undefined && isBehindEmpty && outside[line]) {
        points.push({ file, line, indentation, chars });
      }
      chars += words.length + 1;
    }
    before += text.length;
  }
  return points;
}

/** For each line, whether it begins outside of block comments and of Python's long strings. */
function outsideOfComments(lines: readonly string[], language: Language): boolean[] {
  const [open, close] = language === 'python' ? ['"""', '"""'] : ['/*', '*/'];
  let isInside = false;
  return lines.map((line) => {
    const wasInside = isInside;
    let at = 0;
    for (;;) {
      const mark = isInside ? close : open;
      const found = line.indexOf(mark, at);
      if (found < 0) break;
      isInside = !isInside;
      at = found + mark.length;
    }
    return !wasInside;
  });
}
