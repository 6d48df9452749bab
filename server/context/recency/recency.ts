import type { WorkspaceRoot } from '../../../protocol';
import type { Manifest } from '../manifest';
import type { LastCommits } from './last-commits';

const DAY_MS = 24 * 60 * 60 * 1000;
/** What was touched so many days before the latest change counts half as much. */
const HALF_LIFE_DAYS = 14;

interface Asked {
  roots: string;
  /** Of the list that came with the question. */
  revision: number;
  times: Promise<ReadonlyMap<string, number>[]>;
}

/**
 * How lately files were worked on: by the last commits that touched them, and by the times of the files where there is
 * no git. Between 0 and 1, against the latest change of the same folder and in whole days, so that neither the clock nor
 * a save a moment ago changes the order of anything.
 */
export class Recency {
  /** Until its answer is taken over. */
  private asked: Asked | undefined;
  private settledRevision = Number.NaN;
  private times: ReadonlyMap<string, number>[] = [];

  constructor(private readonly lastCommits: LastCommits | undefined) {}

  /** Begins to ask git, in a process of its own, with the first piece of a list of these folders. */
  expect(roots: readonly WorkspaceRoot[], revision: number): void {
    if (this.asked?.revision === revision || this.settledRevision === revision) return;
    this.ask(roots, revision);
  }

  /** Asks again, as after another branch was checked out, unless it is being asked. */
  renew(roots: readonly WorkspaceRoot[]): void {
    if (!this.asked) this.ask(roots, this.settledRevision);
  }

  /** Takes over what git has told, which it has a bounded time for. */
  async settle(roots: readonly WorkspaceRoot[]): Promise<void> {
    const { asked } = this;
    if (!asked || asked.roots !== keyOf(roots)) return;
    this.times = await asked.times;
    this.settledRevision = asked.revision;
    if (this.asked === asked) this.asked = undefined;
  }

  /** For files by their display paths. */
  weights(manifest: Manifest): (displayPath: string) => number {
    const { entries } = manifest.files();
    const latest = manifest.roots.map((_, root) => latestOf(this.times[root]));
    if (latest.includes(0)) {
      for (const { root, mtimeMs } of entries) {
        if (!this.times[root]?.size) latest[root] = Math.max(latest[root] ?? 0, mtimeMs);
      }
    }
    return (displayPath) => {
      const place = manifest.placeOf(displayPath);
      if (!place) return 0;
      const commits = this.times[place.root];
      const changedAtMs = commits?.size ? commits.get(place.path) : manifest.get(place)?.mtimeMs;
      if (changedAtMs === undefined) return 0;
      const days = Math.max(0, Math.floor(((latest[place.root] ?? 0) - changedAtMs) / DAY_MS));
      return 2 ** (-days / HALF_LIFE_DAYS);
    };
  }

  private ask(roots: readonly WorkspaceRoot[], revision: number): void {
    const { lastCommits } = this;
    if (!lastCommits) return;
    const times = Promise.all(roots.map(({ path }) => lastCommits(path)));
    this.asked = { roots: keyOf(roots), revision, times };
  }
}

function latestOf(times: ReadonlyMap<string, number> | undefined): number {
  let latest = 0;
  for (const time of times?.values() ?? []) latest = Math.max(latest, time);
  return latest;
}

const keyOf = (roots: readonly WorkspaceRoot[]): string => roots.map(({ path }) => path).join('\0');
