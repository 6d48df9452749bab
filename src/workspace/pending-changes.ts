import type { FileTable } from './file-table';
import { LONGVIEW_IGNORE } from './longview-ignore';
import type { FileLocation } from './roots';

export type ChangeKind = 'created' | 'changed' | 'deleted';

const IGNORE_FILES = new Set(['.gitignore', '.ignore', '.rgignore', LONGVIEW_IGNORE]);

/**
 * Watcher events gathered until they are acted on. Whether a new file is ignored depends on every ignore
 * file above it, so a created file, or a changed ignore file, asks for the names to be listed again.
 */
export class PendingChanges {
  scopeChanged = false;
  needsListing = false;
  private readonly places = new Map<string, FileLocation>();

  noteScope(): void {
    this.scopeChanged = true;
  }

  /** Takes one event; false when it cannot matter. */
  note(kind: ChangeKind, place: FileLocation, table: FileTable): boolean {
    if (isGitInternal(place.path)) {
      if (!place.path.endsWith('.git/info/exclude')) return false;
      this.needsListing = true;
      return true;
    }
    const name = place.path.slice(place.path.lastIndexOf('/') + 1);
    const known = table.has(place);
    if (IGNORE_FILES.has(name) || (kind === 'created' && !known)) this.needsListing = true;
    else if (kind === 'changed' && !known) return false;
    this.places.set(`${place.root}\0${place.path}`, place);
    return true;
  }

  /** Files and folders that events named. */
  touched(): FileLocation[] {
    return [...this.places.values()];
  }

  /** Takes over what an attempt that failed had wanted to do. */
  keep(failed: PendingChanges): void {
    this.scopeChanged ||= failed.scopeChanged;
    this.needsListing ||= failed.needsListing;
    for (const [key, place] of failed.places) this.places.set(key, place);
  }
}

function isGitInternal(path: string): boolean {
  return path === '.git' || path.startsWith('.git/') || path.includes('/.git/');
}
