import path from 'node:path';
import { Language, Parser } from '@vscode/tree-sitter-wasm';

/** Grammars by file extension. What is not here is read by expressions instead. */
const GRAMMARS: Readonly<Record<string, string>> = {
  ...named('typescript', 'ts mts cts'),
  ...named('tsx', 'tsx'),
  ...named('javascript', 'js mjs cjs jsx'),
  ...named('python', 'py pyi'),
  ...named('java', 'java'),
  ...named('go', 'go'),
  ...named('rust', 'rs'),
  ...named('cpp', 'c h cc cpp cxx hh hpp hxx cu cuh'),
  ...named('c-sharp', 'cs'),
  ...named('php', 'php'),
  ...named('ruby', 'rb'),
};

function named(grammar: string, extensions: string): Record<string, string> {
  return Object.fromEntries(extensions.split(' ').map((extension) => [extension, grammar]));
}

/** Grammars are compiled to WebAssembly of up to 5 MB each; a workspace mixes few languages. */
const GRAMMARS_KEPT = 4;

/** tree-sitter with the grammars of one folder, each loaded when a file of its language comes first. */
export class Grammars {
  private starting: Promise<void> | undefined;
  private readonly parsers = new Map<string, Promise<Parser>>();

  /** @param folder holds `tree-sitter.wasm` and `tree-sitter-<grammar>.wasm` */
  constructor(private readonly folder: string) {}

  /** The parser for files of this name; undefined where there is no grammar for them. */
  async parserFor(name: string): Promise<Parser | undefined> {
    const grammar = GRAMMARS[name.slice(name.lastIndexOf('.') + 1).toLowerCase()];
    if (grammar === undefined) return undefined;
    let parser = this.parsers.get(grammar);
    if (parser) this.parsers.delete(grammar);
    else parser = this.load(grammar);
    // Put at the end again: the one at the front was used longest ago.
    this.parsers.set(grammar, parser);
    await this.dropOldest();
    return parser;
  }

  private async load(grammar: string): Promise<Parser> {
    this.starting ??= Parser.init({ locateFile: (file: string) => path.join(this.folder, file) });
    await this.starting;
    const parser = new Parser();
    parser.setLanguage(await Language.load(path.join(this.folder, `tree-sitter-${grammar}.wasm`)));
    return parser;
  }

  private async dropOldest(): Promise<void> {
    const [oldest] = this.parsers;
    if (this.parsers.size <= GRAMMARS_KEPT || !oldest) return;
    this.parsers.delete(oldest[0]);
    (await oldest[1]).delete();
  }
}
