import {
  type ContextEntry,
  type ContextFile,
  type ContextFolder,
  type ContextFolderList,
  type ExcludedFile,
  type FileCounts,
  FOLDER_LIST_LIMIT,
  type IncludedFile,
} from '../../../protocol';

interface Folder {
  entry: ContextFolder;
  folders: Folder[];
  files: ContextFile[];
}

/** The files of a prompt by folder, each folder with the figures of all that is below it. */
export class FileTree {
  private readonly folders = new Map<string, Folder>();
  private readonly root = this.folder('');

  constructor(included: readonly IncludedFile[], excluded: readonly ExcludedFile[]) {
    for (const { path, tokens, reason, detail, secrets } of included) {
      const more = secrets && { secrets };
      this.add({ kind: 'file', path, tokens, state: detail ?? 'whole', reason, ...more });
    }
    for (const { path, reason, secrets } of excluded) {
      this.add({ kind: 'file', path, tokens: 0, state: 'excluded', reason, ...(secrets && { secrets }) });
    }
  }

  get counts(): FileCounts {
    return this.root.entry.files;
  }

  /** What lies directly in `folder`, which ends in `/` or is empty; nothing where there is no such folder. */
  list(folder: string): ContextFolderList {
    const { folders, files } = this.folders.get(folder) ?? { folders: [], files: [] };
    const entries: ContextEntry[] = [...folders.map(({ entry }) => entry), ...files].sort(foldersFirst);
    return {
      entries: entries.slice(0, FOLDER_LIST_LIMIT),
      more: Math.max(0, entries.length - FOLDER_LIST_LIMIT),
    };
  }

  private add(file: ContextFile): void {
    const parent = this.folder(file.path.slice(0, file.path.lastIndexOf('/') + 1));
    parent.files.push(file);
    for (let above: string | undefined = parent.entry.path; above !== undefined; above = parentOf(above)) {
      const { entry } = this.folder(above);
      entry.tokens += file.tokens;
      entry.files[file.state]++;
    }
  }

  private folder(path: string): Folder {
    const known = this.folders.get(path);
    if (known) return known;
    const files = { whole: 0, signatures: 0, path: 0, excluded: 0 };
    const folder: Folder = { entry: { kind: 'folder', path, tokens: 0, files }, folders: [], files: [] };
    this.folders.set(path, folder);
    const above = parentOf(path);
    if (above !== undefined) this.folder(above).folders.push(folder);
    return folder;
  }
}

/** The folder that a folder lies in; undefined for the empty path, which holds everything. */
function parentOf(folder: string): string | undefined {
  return folder === '' ? undefined : folder.slice(0, folder.lastIndexOf('/', folder.length - 2) + 1);
}

/** Then by tokens: what takes the most room, and what is not there at all, at the two ends. */
function foldersFirst(a: ContextEntry, b: ContextEntry): number {
  if (a.kind !== b.kind) return a.kind === 'folder' ? -1 : 1;
  const byTokens = a.kind === 'file' ? b.tokens - a.tokens : 0;
  return byTokens || (a.path < b.path ? -1 : 1);
}
