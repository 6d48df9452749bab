/** A named thing that a line of code introduces. Lines count from 1. */
export interface Definition {
  name: string;
  line: number;
}

const NAME = '[\\p{L}_$][\\p{L}\\p{N}_$]*';
const MODIFIERS =
  '(?:(?:export|default|declare|public|private|protected|internal|static|final|abstract|sealed|virtual|override|' +
  'async|unsafe|extern|inline|constexpr|open|data|suspend|partial|readonly|pub(?:\\([^)]*\\))?)\\s+)*';

/**
 * One expression for the common languages: a keyword and a name (`class A`, `def a`, `const A =`, `fn a`,
 * `#define A`), a Go method, an assignment at the start of a line (`A = 1`, `A: 1`), or a typed function
 * head (`int a(`). It finds too much rather than too little: what it finds is looked up by name.
 */
const DEFINITIONS: readonly RegExp[] = [
  new RegExp(
    `^\\s*${MODIFIERS}(?:function\\*?|class|interface|enum|struct|union|trait|impl|namespace|module|package|object|` +
      `record|protocol|extension|type|def|fn|fun|func|sub|const|let|var|val|macro_rules!|mod)\\s+(?:mut\\s+)?(${NAME})`,
    'u',
  ),
  new RegExp(`^\\s*func\\s+\\([^)]*\\)\\s*(${NAME})`, 'u'),
  new RegExp(`^\\s*(?:pub(?:\\([^)]*\\))?\\s+)?static\\s+(?:mut\\s+)?(${NAME})\\s*:`, 'u'),
  new RegExp(`^\\s*#\\s*define\\s+(${NAME})`, 'u'),
  new RegExp(`^\\s*(?:export\\s+)?["']?(${NAME})["']?\\s*(?::=|=(?!=)|:(?!:))`, 'u'),
  new RegExp(
    `^\\s*${MODIFIERS}(?:[\\p{L}_][\\p{L}\\p{N}_<>,:*&\\[\\]?.]*\\s+)+[*&]?(${NAME})\\s*[(=;{]`,
    'u',
  ),
  new RegExp(`^\\s+${MODIFIERS}(?:get\\s+|set\\s+|\\*\\s*)?#?(${NAME})\\s*\\([^;]*$`, 'u'),
];

/** Words at the start of a line that does something rather than naming something. */
const STATEMENT =
  /^\s*[})\]]*\s*(?:return|throw|raise|await|yield|new|delete|typeof|case|if|elif|else|for|while|do|switch|try|catch|finally|with|import|from|using|goto|assert|print|echo|not)\b/;

/** What the expressions may take for a name. */
const KEYWORDS = new Set('if for while switch catch function return constructor default'.split(' '));

/** Longer lines hold data, not definitions, and would make the expressions slow. */
const MAX_LINE_CHARS = 400;

/** Names that `text` defines, in order, by cheap expressions that fit the common languages. */
export function definitionsIn(text: string): Definition[] {
  const found: Definition[] = [];
  text.split('\n').forEach((line, index) => {
    const name = definedName(line);
    if (name !== undefined) found.push({ name, line: index + 1 });
  });
  return found;
}

function definedName(line: string): string | undefined {
  if (line.length > MAX_LINE_CHARS || STATEMENT.test(line)) return undefined;
  for (const expression of DEFINITIONS) {
    const name = expression.exec(line)?.[1];
    if (name !== undefined && name.length > 1 && !KEYWORDS.has(name)) return name;
  }
  return undefined;
}
