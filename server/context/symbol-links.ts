import type { SymbolLink, SymbolPlace } from '../../protocol';
import { namesInBackticks, partsOfName } from '../prompt/claims';
import { definitionsIn } from '../prompt/definitions';
import type { PackedText } from '../prompt/packed-text';
import { hashOfName } from './index/term-scanner';
import type { Repository } from './repository';
import type { Symbols } from './symbols';

/** An answer that names more things is a list of them. */
const MOST_NAMES = 40;
/** A name that more places define points nowhere. */
const MOST_PLACES = 6;
/** A name that stands in more files is a common word, and looking through all of them would hold the answer up. */
const MOST_FILES = 60;

/** Finds where the names in an answer are defined, in the files as they are now: what is linked is there. */
export class SymbolLinker {
  constructor(
    private readonly repository: Repository,
    private readonly symbols: Symbols,
  ) {}

  /** @param packed what the model saw: looked through also for what the index does not know as a definition */
  async linksIn(answer: string, packed: readonly PackedText[]): Promise<SymbolLink[]> {
    const paths = this.repository.readablePaths();
    const links: SymbolLink[] = [];
    for (const name of namesInBackticks(answer).slice(0, MOST_NAMES)) {
      // A file's name says which file is meant, not what it defines.
      if (paths.some((path) => path === name || path.endsWith(`/${name}`))) continue;
      const places = await this.placesOf(name, packed);
      const named = places.filter(({ path }) => answer.includes(path));
      const meant = named.length > 0 ? named : places;
      if (meant.length > 0 && meant.length <= MOST_PLACES) links.push({ name, places: meant });
    }
    return links;
  }

  /** Of `a.b`, where `b` is defined; failing that, where `a` is. */
  private async placesOf(written: string, packed: readonly PackedText[]): Promise<SymbolPlace[]> {
    for (const symbol of partsOfName(written)) {
      const holding = packed.filter(({ text }) => text.includes(symbol));
      const files = new Set([
        ...this.repository.definersOf(hashOfName(symbol)),
        ...holding.map(({ path }) => path),
      ]);
      if (files.size > MOST_FILES) continue;
      const places = await this.definitionsOf(symbol, files);
      if (places.length > 0) return places;
      const matched = await this.matchesOf(symbol, new Set(holding.map(({ path }) => path)));
      if (matched.length > 0) return matched;
    }
    return [];
  }

  private async definitionsOf(symbol: string, files: ReadonlySet<string>): Promise<SymbolPlace[]> {
    const places: SymbolPlace[] = [];
    for (const path of files) {
      const defined = await this.symbols.of(path, (text) => text.includes(symbol));
      for (const { name, startLine } of defined) {
        if (name === symbol) places.push({ path, line: startLine, symbol });
      }
    }
    return places;
  }

  /** Fields and the like, by expressions: no grammar tells them as definitions of their own. */
  private async matchesOf(symbol: string, files: ReadonlySet<string>): Promise<SymbolPlace[]> {
    const places: SymbolPlace[] = [];
    for (const path of files) {
      const lines = await this.symbols.linesOf(path);
      const first = definitionsIn(lines?.join('\n') ?? '').find(({ name }) => name === symbol);
      if (first) places.push({ path, line: first.line, symbol });
    }
    return places;
  }
}
