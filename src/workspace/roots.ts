import path from 'node:path';
import type { WorkspaceRoot } from '../../protocol';

/**
 * Workspace roots with unique names: the folder's own name, then `name-2`, `name-3` and so on.
 * A folder that is listed twice counts once. Paths are made absolute.
 */
export function nameRoots(folders: readonly { path: string; name?: string }[]): WorkspaceRoot[] {
  const roots: WorkspaceRoot[] = [];
  const names = new Set<string>();
  const paths = new Set<string>();
  for (const folder of folders) {
    const absolute = path.resolve(folder.path);
    if (paths.has(absolute)) continue;
    paths.add(absolute);
    const name = uniqueName(folder.name || path.basename(absolute) || 'root', names);
    names.add(name);
    roots.push({ name, path: absolute });
  }
  return roots;
}

function uniqueName(wanted: string, taken: ReadonlySet<string>): string {
  if (!taken.has(wanted)) return wanted;
  let number = 2;
  while (taken.has(`${wanted}-${number}`)) number++;
  return `${wanted}-${number}`;
}

/** Where a file lies in the workspace: the index of its root and its path there, with `/`. */
export interface FileLocation {
  root: number;
  path: string;
}

/** The innermost root that holds `absolutePath`; undefined for a path outside of all roots or a root itself. */
export function locate(roots: readonly WorkspaceRoot[], absolutePath: string): FileLocation | undefined {
  let best: FileLocation | undefined;
  let bestLength = -1;
  roots.forEach((root, index) => {
    const relative = relativeTo(root.path, absolutePath);
    if (relative === '' || relative === '..' || relative.startsWith(`..${path.sep}`)) return;
    if (path.isAbsolute(relative) || root.path.length <= bestLength) return;
    best = { root: index, path: relative.split(path.sep).join('/') };
    bestLength = root.path.length;
  });
  return best;
}

/** As `path.relative`, ten times as fast for what a file watcher tells: events come by the ten thousand. */
function relativeTo(root: string, absolutePath: string): string {
  const isPlain = absolutePath.startsWith(root + path.sep) && !NOT_NORMAL.test(absolutePath);
  return isPlain ? absolutePath.slice(root.length + 1) : path.relative(root, absolutePath);
}

/** A part of a path that is empty, `.` or `..`, or a separator at its end. */
const NOT_NORMAL = /[\\/](?:\.{0,2}[\\/]|\.{0,2}$)/;

/** Relative paths, with `/`, of the other roots that lie inside root `index`: their files are listed there. */
export function nestedRoots(roots: readonly WorkspaceRoot[], index: number): string[] {
  const outer = roots[index];
  if (!outer) return [];
  return roots.flatMap((root, other) => {
    const place = other === index ? undefined : locate([outer], root.path);
    return place ? [place.path] : [];
  });
}
