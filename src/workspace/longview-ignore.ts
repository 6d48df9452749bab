import { readFile } from 'node:fs/promises';
import path from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { messageOf, type ReportProblem } from './problem';

/** Leaves files out of prompts that the repository itself keeps: the syntax of `.gitignore`, in any folder. */
export const LONGVIEW_IGNORE = '.longviewignore';

/** Larger ones are no lists of patterns that somebody wrote. */
const MAX_BYTES = 1024 * 1024;

interface Layer {
  /** Of the root, with a slash at the end; empty at the top. */
  folder: string;
  rules: Ignore;
}

/**
 * The `.longviewignore` files of one root. As with `.gitignore`, the file nearest to a path decides, its last pattern
 * that fits first, and a folder that is left out cannot be brought back from inside of it. They only ever take away:
 * `!` brings back what a `.longviewignore` above has left out, never what `.gitignore` or the settings leave out.
 */
export class LongviewIgnore {
  private constructor(private readonly layers: readonly Layer[]) {}

  /** Reads those among `files`, relative paths of the root. One that cannot be read is reported and leaves nothing out. */
  static async read(root: string, files: readonly string[], report: ReportProblem): Promise<LongviewIgnore> {
    const layers: Layer[] = [];
    for (const file of files) {
      if (file !== LONGVIEW_IGNORE && !file.endsWith(`/${LONGVIEW_IGNORE}`)) continue;
      try {
        const text = await readFile(path.join(root, file), 'utf8');
        if (text.length > MAX_BYTES) throw new Error(`it is longer than ${MAX_BYTES} bytes`);
        const rules = ignore({ allowRelativePaths: true }).add(text);
        layers.push({ folder: file.slice(0, -LONGVIEW_IGNORE.length), rules });
      } catch (error) {
        report({ root, message: `${file} is not followed: ${messageOf(error)}` });
      }
    }
    return new LongviewIgnore(layers.sort((a, b) => a.folder.length - b.folder.length));
  }

  ignores(file: string): boolean {
    if (this.layers.length === 0) return false;
    for (let slash = file.indexOf('/'); slash >= 0; slash = file.indexOf('/', slash + 1)) {
      if (this.leavesOut(file.slice(0, slash + 1))) return true;
    }
    return this.leavesOut(file);
  }

  /** For one file or, with a slash at the end, folder, whatever becomes of the folders around it. */
  private leavesOut(place: string): boolean {
    let out = false;
    for (const { folder, rules } of this.layers) {
      if (!place.startsWith(folder) || place === folder) continue;
      const { ignored, unignored } = rules.test(place.slice(folder.length));
      if (ignored) out = true;
      else if (unignored) out = false;
    }
    return out;
  }
}
