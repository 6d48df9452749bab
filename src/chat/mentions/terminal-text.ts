import { stripVTControlCharacters } from 'node:util';

/** What shell integration tells the editor of a command; it is no output. */
const SHELL_MARKS = /\u001b\](?:633|133|1337|7|0|2);[^\u0007\u001b]*(?:\u0007|\u001b\\)/g;

/** Raw output of a command as it is read on the screen: without colours, and with lines that were written over only once. */
export function readableOutput(raw: string): string {
  const plain = stripVTControlCharacters(raw.replaceAll(SHELL_MARKS, ''));
  return plain
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map(lastWritten)
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim();
}

/** Of `10%\r20%\r30%`, what is left to see; `abc\b` takes back a character. */
function lastWritten(line: string): string {
  const written = line.split('\r').findLast((part) => part.trim() !== '') ?? '';
  let text = '';
  for (const char of written) text = char === '\b' ? text.slice(0, -1) : text + char;
  return text.trimEnd();
}

/** Keeps the end of a text that grows, where errors stand. */
export class Tail {
  private text = '';
  private dropped = false;

  constructor(private readonly mostChars: number) {}

  add(piece: string): void {
    this.text += piece;
    if (this.text.length <= this.mostChars * 2) return;
    this.text = this.text.slice(-this.mostChars);
    this.dropped = true;
  }

  /** The kept end, at most `mostChars` long. */
  get value(): string {
    return this.text.slice(-this.mostChars);
  }

  /** True when the start is not there any more. */
  get isCut(): boolean {
    return this.dropped || this.text.length > this.mostChars;
  }
}
