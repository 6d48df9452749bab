import { definitionsIn } from '../prompt/definitions';
import type { Repository } from './repository';
import { blockEnd } from './signatures/block-end';
import type { SignatureReader } from './signatures/signatures';

/** Something that a file defines. Lines count from 1; both ends are included. */
export interface DefinedSymbol {
  path: string;
  name: string;
  startLine: number;
  endLine: number;
}

/** What files define, as their text is now. Unsaved text wins. */
export class Symbols {
  constructor(
    private readonly repository: Repository,
    private readonly signatures: SignatureReader,
  ) {}

  /** What the file defines, in its order; nothing when it holds no text. `holds` may leave a text out unparsed. */
  async of(path: string, holds: (text: string) => boolean = () => true): Promise<DefinedSymbol[]> {
    const loaded = await this.repository.load(path);
    if (loaded.kind === 'excluded' || !holds(loaded.text)) return [];
    const signatures = await this.signatures.read(path, loaded.hash, loaded.text);
    const parsed = signatures.flatMap(({ name, line, endLine }) =>
      name === undefined ? [] : [{ path, name, startLine: line, endLine }],
    );
    const known = new Set(parsed.map(({ startLine }) => startLine));
    const others = outermostDefinitions(path, loaded.text).filter(({ startLine }) => !known.has(startLine));
    return [...parsed, ...others].sort((a, b) => a.startLine - b.startLine);
  }

  /** The lines as they are now; undefined when the file holds no text. */
  async linesOf(path: string): Promise<string[] | undefined> {
    const loaded = await this.repository.load(path);
    return loaded.kind === 'excluded' ? undefined : loaded.text.split('\n');
  }
}

/** Names that a line without indentation introduces: constants have no head and body that a grammar would tell apart. */
function outermostDefinitions(path: string, text: string): DefinedSymbol[] {
  const lines = text.split('\n');
  return definitionsIn(text)
    .filter(({ line }) => /^\S/.test(lines[line - 1] ?? ''))
    .map(({ name, line }) => ({ path, name, startLine: line, endLine: blockEnd(lines, line) }));
}
