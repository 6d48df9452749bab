import type { Findable, FindParams, FindResult } from '../../protocol';
import { Breather } from './cooperation';
import type { Repository } from './repository';
import type { Symbols } from './symbols';

/** A search for symbols ends after this time, with what it has: it is a help while typing. */
const SYMBOL_SEARCH_MS = 1500;
/** Of so many times more symbols than are wanted the best are taken. */
const CHOICE = 8;

/** Finds what can be named in a question: files, folders and symbols of the workspace. */
export class Finder {
  constructor(
    private readonly repository: Repository,
    private readonly symbols: Symbols,
  ) {}

  /** @throws CancelledError */
  async find({ kind, query, limit }: FindParams, signal: AbortSignal): Promise<FindResult> {
    if (kind === 'symbol') return this.findSymbols(query, limit, signal);
    const paths = this.repository.readablePaths();
    const items = kind === 'file' ? files(paths, query) : folders(paths, query);
    return { items: items.slice(0, limit), complete: true };
  }

  /**
   * Looks through texts, the most telling files first, and parses those that hold the query. No table of names has to be
   * kept, which a hundred thousand files would make too large.
   */
  private async findSymbols(query: string, limit: number, signal: AbortSignal): Promise<FindResult> {
    if (query === '') return { items: [], complete: true };
    const deadline = performance.now() + SYMBOL_SEARCH_MS;
    const breather = new Breather(signal);
    const { usable } = await this.repository.refresh(() => undefined, signal);
    const holds = textHolding(query);
    const found: Findable[] = [];
    let complete = true;
    for (const { path } of this.repository.rankBase(usable)) {
      await breather.breathe();
      if (performance.now() > deadline || found.length >= limit * CHOICE) {
        complete = false;
        break;
      }
      for (const symbol of await this.symbols.of(path, holds)) {
        if (holds(symbol.name)) found.push({ kind: 'symbol', ...symbol });
      }
    }
    const items = best(found, (item) => (item.kind === 'symbol' ? closeness(item.name, query) : 0));
    return { items: items.slice(0, limit), complete };
  }
}

function textHolding(query: string): (text: string) => boolean {
  const expression = new RegExp(query.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&'), 'i');
  return (text) => expression.test(text);
}

function files(paths: readonly string[], query: string): Findable[] {
  return best(
    paths.map((path): Findable => ({ kind: 'file', path })),
    ({ path }) => pathCloseness(path, query),
  );
}

function folders(paths: readonly string[], query: string): Findable[] {
  const counts = new Map<string, number>();
  for (const path of paths) {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      const folder = path.slice(0, slash);
      counts.set(folder, (counts.get(folder) ?? 0) + 1);
    }
  }
  return best(
    [...counts].map(([path, count]): Findable => ({ kind: 'folder', path, files: count })),
    ({ path }) => pathCloseness(path, query),
  );
}

/** Those that fit at all, the closest first; of equally close ones the shortest path. */
function best(items: readonly Findable[], value: (item: Findable) => number): Findable[] {
  return items
    .map((item) => ({ item, value: value(item) }))
    .filter((each) => each.value > 0)
    .sort(
      (a, b) =>
        b.value - a.value || a.item.path.length - b.item.path.length || (a.item.path < b.item.path ? -1 : 1),
    )
    .map(({ item }) => item);
}

/** How close a path is to what was typed: by its last part, then anywhere, then with letters left out. */
function pathCloseness(path: string, query: string): number {
  const name = closeness(path.slice(path.lastIndexOf('/') + 1), query);
  if (name > 0) return name + 2;
  const lower = path.toLowerCase();
  const wanted = query.toLowerCase();
  if (lower.includes(wanted)) return 2;
  return holdsInOrder(lower, wanted) ? 1 : 0;
}

/** 4: the same; 3: begins so; 2: holds it; 0: does not. */
function closeness(name: string, query: string): number {
  const lower = name.toLowerCase();
  const wanted = query.toLowerCase();
  if (lower === wanted) return 4;
  if (lower.startsWith(wanted)) return 3;
  return lower.includes(wanted) ? 2 : 0;
}

function holdsInOrder(text: string, wanted: string): boolean {
  let at = 0;
  for (const char of wanted) {
    at = text.indexOf(char, at) + 1;
    if (at === 0) return false;
  }
  return true;
}
