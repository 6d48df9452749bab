import type { ExcludedFile } from '../../protocol';
import type { Base } from './base';
import type { Detail, FileBlock } from './file-block';
import type { Changes } from './order';

/** An earlier base that is computed already, and what makes a prompt on top of it say what is true now. */
export interface Superseding {
  earlier: Base;
  changes: Changes;
  /** Files that the earlier base lacks. */
  added: FileBlock[];
}

export interface SupersedingInput {
  usablePaths: readonly string[];
  loadFile: (path: string, detail?: Detail) => Promise<FileBlock | ExcludedFile>;
}

/**
 * What of `base`, which is how things are now, an earlier base does not say, or says otherwise. Undefined when the
 * earlier one shows what is held back by now: nothing that comes later takes that out again.
 */
export async function supersede(
  earlier: Base,
  base: Base,
  input: SupersedingInput,
): Promise<Superseding | undefined> {
  const before = new Map(earlier.files.map((file) => [file.path, file]));
  const now = new Map(base.files.map((file) => [file.path, file]));
  const usable = new Set(input.usablePaths);
  const changes = { newer: [] as FileBlock[], removed: [] as string[] };
  for (const [path, file] of before) {
    const inBase = now.get(path);
    const current =
      inBase?.detail === file.detail
        ? inBase
        : usable.has(path)
          ? await input.loadFile(path, file.detail)
          : undefined;
    if (current && 'reason' in current && current.reason === 'secret') return undefined;
    if (!current || 'reason' in current) changes.removed.push(path);
    else if (current.hash !== file.hash) changes.newer.push(current);
  }
  return { earlier, changes, added: base.files.filter(({ path }) => !before.has(path)) };
}

/** Leading tokens that `prompt` shares with one of the prompts whose KV is there. */
export function heldTokensOf(prompt: Int32Array, held: readonly Int32Array[]): number {
  return held.reduce((most, tokens) => Math.max(most, sharedTokens(prompt, tokens)), 0);
}

function sharedTokens(a: Int32Array, b: Int32Array): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length++;
  return length;
}
