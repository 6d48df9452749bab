import path from 'node:path';
import type { WorkspaceRoot } from '../../protocol';
import { locate } from '../workspace/roots';

/** The path by which questions and answers name a file: `src/a.ts`, or `root/src/a.ts` with several roots. */
export function repoPathOf(roots: readonly WorkspaceRoot[], absolutePath: string): string | undefined {
  const place = locate(roots, absolutePath);
  const root = place && roots[place.root];
  if (!root) return undefined;
  return roots.length > 1 ? `${root.name}/${place.path}` : place.path;
}

/** The file on disk that a path of an answer names; undefined when it would lie outside of every root. */
export function absolutePathOf(roots: readonly WorkspaceRoot[], repoPath: string): string | undefined {
  const root = roots.length > 1 ? roots.find(({ name }) => repoPath.startsWith(`${name}/`)) : roots[0];
  if (!root) return undefined;
  const relative = roots.length > 1 ? repoPath.slice(root.name.length + 1) : repoPath;
  const absolute = path.resolve(root.path, relative);
  return locate([root], absolute) ? absolute : undefined;
}
