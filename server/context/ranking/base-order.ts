/** What a repository says of itself. */
const OVERVIEW = /^(?:readme|architecture|overview|contributing)(?:\.[^/]*)?$/i;
const ENTRY = /^(?:main|index|app|lib|mod|server|extension|__init__|__main__)\.[^/]+$/i;
const TEST_PATH =
  /(?:^|\/)(?:tests?|specs?|__tests__|fixtures?)\/|[._-](?:test|spec)s?\.[^/]*$|(?:^|\/)test_[^/]*$/i;

/**
 * Paths by how much they tell about a repository whatever is asked, the most telling first: what it says of itself,
 * entry points, then code near the top of the tree; tests last. Depends on the paths alone, so that editing a file
 * changes nothing.
 */
export function rankBase(paths: readonly string[]): string[] {
  return [...paths]
    .map((path) => ({ path, rank: rankOf(path), depth: path.split('/').length }))
    .sort((a, b) => a.rank - b.rank || a.depth - b.depth || (a.path < b.path ? -1 : 1))
    .map(({ path }) => path);
}

function rankOf(path: string): number {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (TEST_PATH.test(path)) return 3;
  if (OVERVIEW.test(name)) return 0;
  return ENTRY.test(name) ? 1 : 2;
}
