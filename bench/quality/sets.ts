import sets from './sets.json';

export const SET_NAMES = ['reporting', 'tuning'] as const;
export type SetName = (typeof SET_NAMES)[number];

export type Language = 'typescript' | 'javascript' | 'python' | 'rust' | 'c';

/** A published package at one version: where its files come from, and which of them are read. */
export interface PinnedRepository {
  id: string;
  language: Language;
  source: 'npm' | 'pypi';
  package: string;
  version: string;
  /** As the registry names it, and its checksum. */
  file: string;
  sha256: string;
  /** Inside the archive. */
  folder: string;
  extensions: string[];
}

/** The reporting set is never tuned on: settings are chosen on the tuning set alone. */
export function repositoriesOf(set: SetName): PinnedRepository[] {
  // A JSON module's strings have no literal types.
  return sets[set] as PinnedRepository[];
}

/** One prefix to ask about: a repository as one seed plants it. */
export interface Planting {
  repository: PinnedRepository;
  seed: number;
}

/**
 * Every repository once a round, each time with another seed: a Latin square of repositories and seeds, of which the
 * first round is a third.
 */
export function plantingsOf(set: SetName, rounds: number): Planting[] {
  const { seeds } = sets;
  return Array.from({ length: rounds }, (_, round) =>
    repositoriesOf(set).map((repository, i) => ({
      repository,
      seed: seeds[(i + round) % seeds.length] ?? 1,
    })),
  ).flat();
}
