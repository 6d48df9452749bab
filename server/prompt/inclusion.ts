import {
  EXCLUDED_LIST_LIMIT,
  type ExcludedFile,
  type ExclusionReason,
  type IncludedExcerpt,
  type IncludedFile,
  type InclusionReport,
  type InclusionSummary,
  type SecretFinding,
} from '../../protocol';

export interface InclusionFacts {
  totalFiles: number;
  included: readonly IncludedFile[];
  excerpts: readonly IncludedExcerpt[];
  /** Files that could not be used, whatever room there was. */
  unusable: readonly ExcludedFile[];
  /** All files that could be used; those not included had no room. */
  usablePaths: readonly string[];
  budgetTokens: number;
  promptTokens: number;
  newerVersions: readonly string[];
  pinsWithoutRoom: readonly string[];
  historyTokens: number;
  droppedTurns: number;
  shortenedTurns: number;
  secrets: FoundSecrets;
}

/** What was found in the files that were looked at, let through or not, by path. */
export type FoundSecrets = ReadonlyMap<string, SecretFinding[]>;

export interface AccountedFiles {
  included: IncludedFile[];
  excluded: ExcludedFile[];
}

/** Every file, each once: those that are in the prompt, and those that are not. */
export function accountForFiles(facts: InclusionFacts): AccountedFiles {
  const withSecrets = <File extends { path: string }>(file: File): File => {
    const secrets = facts.secrets.get(file.path);
    return secrets ? { ...file, secrets } : file;
  };
  const included = mergeByPath(facts.included).map(withSecrets);
  const unusable = new Map<string, ExcludedFile>();
  for (const file of facts.unusable) unusable.set(file.path, withSecrets(file));
  for (const { path } of included) unusable.delete(path);
  const accounted = new Set([...included.map(({ path }) => path), ...unusable.keys()]);
  const withoutRoom = facts.usablePaths
    .filter((path) => !accounted.has(path))
    .map((path): ExcludedFile => ({ path, reason: 'noRoom' }));
  const because = (reason: ExclusionReason) =>
    [...unusable.values()].filter((file) => file.reason === reason);
  const others = [...unusable.values()].filter(
    ({ reason }) => reason !== 'secret' && reason !== 'excludedByHand',
  );
  // What the user decides about goes first: lists are cut at their end.
  return {
    included,
    excluded: [...because('secret'), ...because('excludedByHand'), ...withoutRoom, ...others],
  };
}

/** The exact report of what is in a prompt and what is not. Counts are complete, the list is bounded. */
export function reportInclusion(facts: InclusionFacts): InclusionReport {
  const files = accountForFiles(facts);
  const { included, excluded } = files;
  return { ...summarizeInclusion(facts, files), included, excluded: excluded.slice(0, EXCLUDED_LIST_LIMIT) };
}

/** The report without its lists. */
export function summarizeInclusion(facts: InclusionFacts, files: AccountedFiles): InclusionSummary {
  const excludedByReason: Partial<Record<ExclusionReason, number>> = {};
  for (const { reason } of files.excluded) excludedByReason[reason] = (excludedByReason[reason] ?? 0) + 1;
  return {
    totalFiles: facts.totalFiles,
    excerpts: [...facts.excerpts],
    excludedByReason,
    fileTokens: files.included.reduce((sum, file) => sum + file.tokens, 0),
    budgetTokens: facts.budgetTokens,
    promptTokens: facts.promptTokens,
    newerVersions: [...facts.newerVersions],
    pinsWithoutRoom: [...facts.pinsWithoutRoom],
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
