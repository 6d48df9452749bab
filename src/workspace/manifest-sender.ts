import type { ManifestEntry, ManifestSyncParams, ManifestSyncResult, WorkspaceRoot } from '../../protocol';
import type { TableChange } from './file-table';

/** Entries of one message: large enough to be few, small enough to be handled within a few milliseconds. */
export const PIECE_ENTRIES = 5000;

export type SendManifest = (params: ManifestSyncParams) => Promise<ManifestSyncResult>;

/**
 * Splits the manifest into messages and numbers them. All pieces of a full list carry one revision, which
 * starts the server's list anew; each delta piece carries the next one.
 */
export class ManifestSender {
  private revision = 0;

  constructor(private readonly send: SendManifest) {}

  /** Sends the whole list as it comes and returns how many files it holds. */
  async full(
    roots: readonly WorkspaceRoot[],
    batches: AsyncIterable<ManifestEntry[]> | Iterable<ManifestEntry[]>,
  ): Promise<number> {
    this.revision++;
    const piece = (last: boolean, upserts: ManifestEntry[]) =>
      this.send({
        mode: 'full',
        revision: this.revision,
        last,
        roots: [...roots],
        upserts,
        removals: [],
      });
    let waiting: ManifestEntry[] = [];
    for await (const batch of batches) {
      waiting.push(...batch);
      while (waiting.length > PIECE_ENTRIES) {
        await piece(false, waiting.slice(0, PIECE_ENTRIES));
        waiting = waiting.slice(PIECE_ENTRIES);
      }
    }
    return (await piece(true, waiting)).files;
  }

  /** Sends what changed; false when the server has lost step and needs the full list. */
  async delta(change: TableChange): Promise<boolean> {
    const { upserts, removals } = change;
    const count = Math.max(upserts.length, removals.length);
    for (let from = 0; from < count; from += PIECE_ENTRIES) {
      const result = await this.send({
        mode: 'delta',
        revision: ++this.revision,
        last: from + PIECE_ENTRIES >= count,
        roots: [],
        upserts: upserts.slice(from, from + PIECE_ENTRIES),
        removals: removals.slice(from, from + PIECE_ENTRIES).map(({ root, path }) => ({ root, path })),
      });
      if (result.resync) return false;
    }
    return true;
  }
}
