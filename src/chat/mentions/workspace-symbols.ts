import * as vscode from 'vscode';
import type { Findable } from '../../../protocol';
import { pathOfUri } from '../editor-actions';

type FoundSymbol = Extract<Findable, { kind: 'symbol' }>;

/** A language extension that is still reading a project does not hold the list up. */
const PROVIDER_MS = 1000;

/** What the language extensions of the editor find; nothing where there is none, or none answers in time. */
export async function symbolsOfEditor(
  query: string,
  limit: number,
  warn: (message: string) => void,
): Promise<FoundSymbol[]> {
  const asked = vscode.commands
    .executeCommand<vscode.SymbolInformation[] | undefined>('vscode.executeWorkspaceSymbolProvider', query)
    .then(undefined, (error: unknown) => {
      // Longview's own search goes on without it.
      warn(`The symbols of the editor could not be asked for: ${String(error)}`);
      return undefined;
    });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), PROVIDER_MS);
  });
  try {
    const found = (await Promise.race([asked, late])) ?? [];
    return found.flatMap(inWorkspace).slice(0, limit);
  } finally {
    clearTimeout(timer);
  }
}

function inWorkspace({ name, location }: vscode.SymbolInformation): FoundSymbol[] {
  const path = pathOfUri(location.uri);
  if (path === undefined) return [];
  const { start, end } = location.range;
  // Providers add to the name what is no part of it: `evaluate()`.
  const bare = name.replace(/\(.*\)$/, '');
  return [{ kind: 'symbol', path, name: bare, startLine: start.line + 1, endLine: end.line + 1 }];
}

/** Both lists without what is in both: a place is the same when it has the same name within two lines. */
export function mergeSymbols(first: readonly FoundSymbol[], second: readonly FoundSymbol[]): FoundSymbol[] {
  const isSame = (a: FoundSymbol, b: FoundSymbol): boolean =>
    a.path === b.path && a.name === b.name && Math.abs(a.startLine - b.startLine) <= 2;
  return [...first, ...second.filter((each) => !first.some((other) => isSame(other, each)))];
}
