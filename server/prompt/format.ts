/**
 * How a file looks in the prompt:
 *
 *     <file path="src/a.ts">
 *     …text…
 *     </file>
 *
 * Lines are not numbered. Numbers on every line cost 23% (Qwen2) and 25% (SmolLM2) more tokens on the sources
 * of this repository, which a 4,096-token window cannot spare, and a 0.5B model found planted values less
 * often with them. Citations are derived from symbols and quotes instead, which can be checked
 * (`citations.ts`). Markdown fences were tried too: they cost more tokens and files were confused more often.
 */

/** The lines around one file. The closing line of the fence does not occur in the file. */
export interface FileFence {
  open: string;
  close: string;
}

export interface FenceMarks {
  /** The lines that `text` is, where it is not the whole file. */
  lines?: { start: number; end: number };
  /** `text` replaces a version of the file that stands further up in the prompt. */
  newer?: boolean;
  /** `text` is the heads of what the file defines, without their bodies. */
  signatures?: boolean;
}

/**
 * A fence for `text`. Where the file itself holds the closing tag, a numbered tag is used, so that no
 * content can end its own fence.
 */
export function fileFence(path: string, text: string, marks: FenceMarks = {}): FileFence {
  const { lines, newer, signatures } = marks;
  const tag = freeTag('file', text);
  const range =
    (lines ? ` lines="${lines.start}-${lines.end}"` : '') +
    (signatures ? ' shown="signatures"' : '') +
    (newer ? ' version="newer"' : '');
  // A body without a final newline gets one, so that the closing tag stands on a line of its own.
  const newline = text.endsWith('\n') ? '' : '\n';
  return { open: `<${tag} path="${attribute(path)}"${range}>\n`, close: `${newline}</${tag}>\n` };
}

/** The lines around text that is no file, such as `<git shown="changes">`. */
export function excerptFence(source: string, label: string, text: string): FileFence {
  const tag = freeTag(source, text);
  const newline = text.endsWith('\n') ? '' : '\n';
  return { open: `<${tag} shown="${attribute(label)}">\n`, close: `${newline}</${tag}>\n` };
}

function freeTag(name: string, text: string): string {
  if (!text.includes(`</${name}`)) return name;
  let number = 2;
  while (text.includes(`</${name}-${number}`)) number++;
  return `${name}-${number}`;
}

/** A path may hold quotes and line ends, which must not end the attribute or the line. */
function attribute(path: string): string {
  return path
    .replaceAll('&', '&amp;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;')
    .replaceAll('\n', '&#10;');
}

/** A path as part of a line: a line end in it would make another line, in the words of the prompt. */
export function onOneLine(path: string): string {
  return JSON.stringify(path).slice(1, -1);
}

/** The folders of a repository with the number of files below each, down to `depth` levels. */
export function folderOutline(paths: readonly string[], depth: number): string {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const folder = folderOf(path, depth);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const lines = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([folder, count]) => `${attribute(folder)} (${count})`);
  return `Folders of the repository, with their number of files:\n${lines.join('\n')}\n\n`;
}

/** The folder of a file, or the one around it that is `depth` levels down. */
function folderOf(path: string, depth: number): string {
  let end = 0;
  for (let level = 0; level < depth; level++) {
    const slash = path.indexOf('/', end);
    if (slash < 0) break;
    end = slash + 1;
  }
  return end === 0 ? './' : path.slice(0, end);
}
