import { type Definition, definitionsIn } from './definitions';
import type { PackedText } from './packed-text';

/** Lines of a file, counted from 1, both ends included. */
export interface LineRange {
  path: string;
  startLine: number;
  endLine: number;
}

const squeeze = (line: string) => line.trim().replaceAll(/\s+/g, ' ');

/** Below this a quoted line, like `}` or `return;`, occurs anywhere and shows nothing. */
const MIN_TELLING_CHARS = 8;

/** One packed text with what is looked up in it. */
export class SearchableText {
  readonly path: string;
  private readonly firstLine: number;
  private readonly lines: string[];
  private squeezed: string[] | undefined;
  private definitions: Definition[] | undefined;

  constructor(packed: PackedText) {
    this.path = packed.path;
    this.firstLine = packed.firstLine;
    this.lines = packed.text.split('\n');
  }

  /** True when one of the lines of `range` holds `name` as a whole word. */
  holdsName(range: LineRange, name: string): boolean {
    return this.linesOf(range).some((line) => hasWord(line, name));
  }

  /** True when the lines of `range` hold `quote`, spaces aside. */
  holdsQuote(range: LineRange, quote: string): boolean {
    const wanted = squeeze(quote.replaceAll('\n', ' '));
    return wanted !== '' && squeeze(this.linesOf(range).join(' ')).includes(wanted);
  }

  /** Lines that define `name`. */
  definitionsOf(name: string): LineRange[] {
    this.definitions ??= definitionsIn(this.lines.join('\n'));
    return this.definitions
      .filter((definition) => definition.name === name)
      .map((definition) => this.rangeOf(definition.line - 1, definition.line - 1));
  }

  /** Lines that hold `name` as a whole word. */
  mentionsOf(name: string): LineRange[] {
    return this.matching((line) => hasWord(line, name));
  }

  /** Lines that hold the one-line `text`, spaces aside. */
  linesWith(text: string): LineRange[] {
    const wanted = squeeze(text);
    return wanted === '' ? [] : this.matching((line) => squeeze(line).includes(wanted));
  }

  /** Runs of lines that equal the lines of `quote` in order, blank lines and indentation aside. */
  runsOf(quote: string): LineRange[] {
    const wanted = quote.split('\n').map(squeeze).filter(Boolean);
    this.squeezed ??= this.lines.map(squeeze);
    const runs: LineRange[] = [];
    if (!wanted.some((line) => line.length >= MIN_TELLING_CHARS)) return runs;
    for (let start = 0; start < this.squeezed.length; start++) {
      const end = this.endOfRun(this.squeezed, start, wanted);
      if (end !== undefined) runs.push(this.rangeOf(start, end));
    }
    return runs;
  }

  private endOfRun(lines: readonly string[], start: number, wanted: readonly string[]): number | undefined {
    let at = start;
    for (const [index, line] of wanted.entries()) {
      while (index > 0 && lines[at] === '') at++;
      if (lines[at] !== line) return undefined;
      at++;
    }
    return at - 1;
  }

  private matching(holds: (line: string) => boolean): LineRange[] {
    return this.lines.flatMap((line, index) => (holds(line) ? [this.rangeOf(index, index)] : []));
  }

  private linesOf(range: LineRange): string[] {
    const from = range.startLine - this.firstLine;
    return from < 0 ? [] : this.lines.slice(from, range.endLine - this.firstLine + 1);
  }

  private rangeOf(start: number, end: number): LineRange {
    return { path: this.path, startLine: this.firstLine + start, endLine: this.firstLine + end };
  }
}

const WORD_CHARACTER = /[\p{L}\p{N}_$]/u;

function hasWord(line: string, word: string): boolean {
  for (let at = line.indexOf(word); at >= 0; at = line.indexOf(word, at + 1)) {
    const before = line[at - 1] ?? ' ';
    const after = line[at + word.length] ?? ' ';
    if (!WORD_CHARACTER.test(before) && !WORD_CHARACTER.test(after)) return true;
  }
  return false;
}
