import path from 'node:path';
import { Language, Parser } from '@vscode/tree-sitter-wasm';
import { messageOf } from '../../errors';

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
  private readonly failed = new Map<string, string>();

  /** @param folder holds `tree-sitter.wasm` and `tree-sitter-<grammar>.wasm` */
  constructor(private readonly folder: string) {}

  /** Grammars that there should be and that could not be loaded, with the reason. They are not tried again. */
  get failures(): ReadonlyMap<string, string> {
    return this.failed;
  }

  /** The parser for files of this name; undefined where there is no grammar for them, or it cannot be loaded. */
  async parserFor(name: string): Promise<Parser | undefined> {
    const grammar = GRAMMARS[name.slice(name.lastIndexOf('.') + 1).toLowerCase()];
    if (grammar === undefined || this.failed.has(grammar)) return undefined;
    try {
      return await this.parserOf(grammar);
    } catch (error) {
      this.parsers.delete(grammar);
      this.failed.set(grammar, messageOf(error));
      return undefined;
    }
  }

  private async parserOf(grammar: string): Promise<Parser> {
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
    const language = await Language.load(path.join(this.folder, `tree-sitter-${grammar}.wasm`));
    return new Parser().setLanguage(language);
  }

  private async dropOldest(): Promise<void> {
    const [oldest] = this.parsers;
    if (this.parsers.size <= GRAMMARS_KEPT || !oldest) return;
    this.parsers.delete(oldest[0]);
    (await oldest[1]).delete();
  }
}
