/** What a repository says of itself. */
const OVERVIEW = /^(?:readme|architecture|overview|contributing)(?:\.[^/]*)?$/i;
const ENTRY = /^(?:main|index|app|lib|mod|server|extension|__init__|__main__)\.[^/]+$/i;
const TEST_PATH =
  /(?:^|\/)(?:tests?|specs?|__tests__|fixtures?)\/|[._-](?:test|spec)s?\.[^/]*$|(?:^|\/)test_[^/]*$/i;

export const isTestPath = (path: string): boolean => TEST_PATH.test(path);

/** Of a path at the top of the tree, against one that says nothing of itself. */
const OVERVIEW_WEIGHT = 40;
const ENTRY_WEIGHT = 3;
const TEST_WEIGHT = 0.05;

/**
 * How likely somebody who knows nothing but the paths would start to read there: with what a repository says of
 * itself, at its entry points, near the top of the tree; hardly with a test.
 */
export function baseWeight(path: string): number {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const depth = path.split('/').length;
  if (TEST_PATH.test(path)) return TEST_WEIGHT / depth;
  if (OVERVIEW.test(name)) return OVERVIEW_WEIGHT / depth ** 2;
  return (ENTRY.test(name) ? ENTRY_WEIGHT : 1) / depth;
}
