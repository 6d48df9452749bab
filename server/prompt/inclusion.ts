import {
  EXCLUDED_LIST_LIMIT,
  type ExcludedFile,
  type ExclusionReason,
  type IncludedFile,
  type InclusionReport,
} from '../../protocol';

export interface InclusionFacts {
  totalFiles: number;
  included: readonly IncludedFile[];
  /** Files that could not be used, whatever room there was. */
  unusable: readonly ExcludedFile[];
  /** All files that could be used; those not included had no room. */
  usablePaths: readonly string[];
  budgetTokens: number;
  promptTokens: number;
  newerVersions: readonly string[];
  historyTokens: number;
  droppedTurns: number;
  shortenedTurns: number;
}

/** The exact report of what is in a prompt and what is not. Counts are complete, the list is bounded. */
export function reportInclusion(facts: InclusionFacts): InclusionReport {
  const included = mergeByPath(facts.included);
  const accounted = new Set([...included, ...facts.unusable].map((file) => file.path));
  const withoutRoom = facts.usablePaths
    .filter((path) => !accounted.has(path))
    .map((path): ExcludedFile => ({ path, reason: 'noRoom' }));
  const excluded = [...withoutRoom, ...facts.unusable];
  const excludedByReason: Partial<Record<ExclusionReason, number>> = {};
  for (const { reason } of excluded) excludedByReason[reason] = (excludedByReason[reason] ?? 0) + 1;
  return {
    totalFiles: facts.totalFiles,
    included,
    excluded: excluded.slice(0, EXCLUDED_LIST_LIMIT),
    excludedByReason,
    fileTokens: included.reduce((sum, file) => sum + file.tokens, 0),
    budgetTokens: facts.budgetTokens,
    promptTokens: facts.promptTokens,
    newerVersions: [...facts.newerVersions],
    historyTokens: facts.historyTokens,
    droppedTurns: facts.droppedTurns,
    shortenedTurns: facts.shortenedTurns,
  };
}

/**
 * A file, its newer version and selections of it are one entry with the tokens of all, attached if one of them is,
 * and whole if one of them is.
 */
function mergeByPath(files: readonly IncludedFile[]): IncludedFile[] {
  const byPath = new Map<string, IncludedFile>();
  for (const file of files) {
    const other = byPath.get(file.path);
    byPath.set(file.path, other ? merged(other, file) : file);
  }
  return [...byPath.values()];
}

function merged(first: IncludedFile, second: IncludedFile): IncludedFile {
  const { path } = first;
  const isAttached = second.reason === 'attached';
  return {
    path,
    tokens: first.tokens + second.tokens,
    reason: isAttached ? 'attached' : first.reason,
    ...(first.detail && second.detail && { detail: first.detail }),
  };
}
