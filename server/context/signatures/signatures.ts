import type { Node, Parser } from '@vscode/tree-sitter-wasm';
import { LRUCache } from 'lru-cache';
import { definitionsIn } from '../../prompt/definitions';
import { blockEnd } from './block-end';
import type { Grammars } from './grammars';

/** The head of something that a file defines, on one line. */
export interface Signature {
  text: string;
  /** Of what is defined; absent where the head does not tell. */
  name?: string;
  /** Where it starts in the file; lines count from 1. */
  line: number;
  /** Its last line, the body included. */
  endLine: number;
  /** Definitions around it. */
  depth: number;
}

const MAX_SIGNATURE_CHARS = 160;
const MAX_SIGNATURES = 400;
/** Longer texts are data more often than code, and parsing one would hold up the question. */
const MAX_PARSED_CHARS = 300_000;
/** A text that takes longer to parse is read by expressions. */
const MAX_PARSE_MS = 500;
const CACHED_CHARS = 8_000_000;

/** Nodes with a body that say what is done, not what there is. */
const ACTING =
  /statement$|clause$|^(?:if|for|while|switch|try|catch|do|case|match|loop|unsafe|block|lambda)|expression$/;
/** Of these, what is inside is part of what the file offers. */
const CONTAINER = /class|interface|struct|trait|impl|namespace|module|^mod_|object|enum|union|record|linkage/;
/** Without a body, but names something. */
const NAMING = /^(?:type_alias_declaration|type_item|const_item|type_definition|preproc_function_def)$/;

/** Signatures of texts by tree-sitter, or by expressions for languages without a grammar; kept by content. */
export class SignatureReader {
  private readonly known = new LRUCache<string, readonly Signature[]>({
    maxSize: CACHED_CHARS,
    sizeCalculation: (signatures) => 64 + signatures.reduce((sum, { text }) => sum + text.length + 32, 0),
  });

  constructor(private readonly grammars: Grammars) {}

  /** @param hash of `text` */
  async read(path: string, hash: string, text: string): Promise<readonly Signature[]> {
    const known = this.known.get(hash);
    if (known) return known;
    const parser = text.length <= MAX_PARSED_CHARS ? await this.grammars.parserFor(path) : undefined;
    const parsed = parser && parsedSignatures(parser, text);
    const signatures = parsed && parsed.length > 0 ? parsed : matchedSignatures(text);
    this.known.set(hash, signatures);
    return signatures;
  }
}

function parsedSignatures(parser: Parser, text: string): Signature[] | undefined {
  const deadline = performance.now() + MAX_PARSE_MS;
  const tree = parser.parse(text, null, { progressCallback: () => performance.now() > deadline });
  if (!tree) {
    // Otherwise the next text would go on where this one was given up.
    parser.reset();
    return undefined;
  }
  try {
    const found: Signature[] = [];
    collect(tree.rootNode, 0, found);
    return found;
  } finally {
    tree.delete();
  }
}

function collect(node: Node, depth: number, found: Signature[]): void {
  for (const child of node.namedChildren) {
    if (!child || found.length >= MAX_SIGNATURES) continue;
    const body = bodyOf(child);
    if (body) {
      found.push(signatureOf(child, body.startIndex, depth));
      if (CONTAINER.test(child.type)) collect(body, depth + 1, found);
    } else if (NAMING.test(child.type) || isMethodHead(child))
      found.push(signatureOf(child, child.endIndex, depth));
    else if (isTransparent(child)) collect(child, depth, found);
  }
}

/** A method of a C++ header: declared without its body. */
function isMethodHead({ type, text }: Node): boolean {
  return type === 'field_declaration' && text.includes('(');
}

function bodyOf(node: Node): Node | null {
  if (ACTING.test(node.type)) return null;
  const body = node.childForFieldName('body');
  if (body) return body;
  if (!/^(?:lexical|variable)_declaration$|^public_field_definition$/.test(node.type)) return null;
  const holder = node.namedChildren.find((child) => child?.type === 'variable_declarator') ?? node;
  return holder.childForFieldName('value')?.childForFieldName('body') ?? null;
}

/** Wrappers around definitions: `export`, decorators, preprocessor conditions, the root's sections. */
function isTransparent({ type }: Node): boolean {
  return /^(?:export_statement|decorated_definition|ambient_declaration|preproc_\w+|declaration_list|template_declaration|linkage_specification|program|type_declaration|source_file)$/.test(
    type,
  );
}

function signatureOf(node: Node, end: number, depth: number): Signature {
  const head = node.text.slice(0, Math.max(1, end - node.startIndex));
  const text = shortened(head);
  const name = nameOf(node) ?? definitionsIn(text)[0]?.name;
  const { startPosition, endPosition } = node;
  // A node that takes in the line end after it ends before the next line.
  const endRow = endPosition.column === 0 && endPosition.row > startPosition.row ? -1 : 0;
  return {
    text,
    ...(name !== undefined && { name }),
    line: startPosition.row + 1,
    endLine: endPosition.row + 1 + endRow,
    depth,
  };
}

/** What the grammar calls the name: of a declaration, of what is declared, of the type of an `impl`. */
function nameOf(node: Node): string | undefined {
  const holder = node.namedChildren.find((child) => child?.type === 'variable_declarator') ?? node;
  const name =
    holder.childForFieldName('name') ?? (node.type === 'impl_item' ? node.childForFieldName('type') : null);
  if (name) return name.text;
  // C and C++ wrap the name: a pointer to a function of these parameters, called so.
  let declarator = node.childForFieldName('declarator');
  for (let inner = declarator; inner; inner = inner.childForFieldName('declarator')) declarator = inner;
  return declarator?.text.split('::').at(-1);
}

function shortened(head: string): string {
  const line = head
    .slice(0, MAX_SIGNATURE_CHARS * 4)
    .replaceAll(/\s+/g, ' ')
    .replace(/ ?(?:=>|[{:=])? ?$/, '');
  return line.length > MAX_SIGNATURE_CHARS ? `${line.slice(0, MAX_SIGNATURE_CHARS)}…` : line;
}

function matchedSignatures(text: string): Signature[] {
  const lines = text.split('\n');
  return definitionsIn(text)
    .slice(0, MAX_SIGNATURES)
    .map(({ name, line }) => {
      const head = lines[line - 1] ?? '';
      const depth = /^\s/.test(head) ? 1 : 0;
      return { text: shortened(head.trim()), name, line, endLine: blockEnd(lines, line), depth };
    });
}
