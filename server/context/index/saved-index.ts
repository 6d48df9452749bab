import { messageOf } from '../../errors';
import type { IndexFile } from './index-file';
import type { IndexTable } from './index-table';

/** So many changes, as a share of all files, are worth saving at once; fewer wait for more. */
const WORTH_SAVING_SHARE = 0.02;
const SETTLE_MS = 30_000;

/** Decides when the index is saved, one save at a time, and never in the way of a question. */
export class SavedIndex {
  private unsaved = 0;
  private saving = false;
  private timer: NodeJS.Timeout | undefined;

  /** @param table what is known now */
  constructor(
    private readonly file: IndexFile,
    private readonly table: () => IndexTable,
  ) {}

  /** Undefined where there is none that can be used. */
  load(): Promise<IndexTable | undefined> {
    return this.file.load();
  }

  /** Takes note that so many of `files` were read anew. */
  noteChanges(changed: number, files: number): void {
    this.unsaved += changed;
    if (this.unsaved === 0) return;
    if (this.unsaved > files * WORTH_SAVING_SHARE) this.saveIn(0);
    else if (!this.timer) this.saveIn(SETTLE_MS);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private saveIn(delayMs: number): void {
    this.dispose();
    this.timer = setTimeout(() => void this.save(), delayMs);
    this.timer.unref();
  }

  private async save(): Promise<void> {
    this.timer = undefined;
    if (this.saving) return;
    this.saving = true;
    const saved = this.unsaved;
    const table = this.table();
    // Other folders may be opened meanwhile.
    const terms = table.terms.retain();
    try {
      await this.file.save(table);
      this.unsaved -= saved;
    } catch (error) {
      // Nothing is lost but time at the next start; the next change tries again.
      process.emitWarning(`The index of the repository was not saved: ${messageOf(error)}`);
    } finally {
      terms.release();
      this.saving = false;
    }
  }
}
