import type { SourceFile } from './fetch';
import type { Random } from './random';
import type { Language } from './sets';

/** A function that is defined once in all files, and lines of its body that do not name it. */
export interface FunctionExcerpt {
  name: string;
  body: string;
}

const DEFINITION: Record<Language, RegExp> = {
  typescript: /^(?:export )?(?:async )?(?:function (\w+)|const (\w+) = (?:async )?(?:<.*>)?\()/,
  javascript: /^(?:export )?(?:async )?function (\w+)|^\t(?:static |async )?(\w+)\(.*\) \{$/,
  python: /^\s*def (\w+)\(/,
  rust: /^\s*(?:pub(?:\(\w+\))? )?fn (\w+)/,
  c: /^(\w+)\(.*\) ?\{$/,
};

/** Keywords that look like methods. */
const NO_NAMES = new Set(['if', 'for', 'while', 'switch', 'catch', 'constructor', '__init__', 'new', 'main']);
const BODY_LINES = 6;
const SHORTEST_NAME = 6;
/** Its definition and a few callers: a name that stands everywhere is no answer to "which function". */
const MOST_MENTIONS = 4;

/** Up to `count` functions, spread over the files. */
export function functionExcerpts(
  files: readonly SourceFile[],
  language: Language,
  count: number,
  random: Random,
): FunctionExcerpt[] {
  const everything = files.map(({ text }) => text).join('\n');
  const found: FunctionExcerpt[] = [];
  for (const { text } of random.shuffled(files)) {
    if (found.length === count) break;
    const excerpt = random.shuffled(excerptsOf(text, language)).find(({ name }) => {
      return everything.split(new RegExp(`\\b${name}\\b`)).length <= MOST_MENTIONS + 1;
    });
    if (excerpt) found.push(excerpt);
  }
  return found;
}

function excerptsOf(text: string, language: Language): FunctionExcerpt[] {
  const lines = text.split('\n');
  return lines.flatMap((line, at) => {
    const match = DEFINITION[language].exec(line);
    const name = match?.[1] ?? match?.[2];
    if (name === undefined || NO_NAMES.has(name) || name.length < SHORTEST_NAME) return [];
    const body = bodyFrom(lines, at + 2);
    if (body.length === 0 || body.some((code) => code.includes(name) || DEFINITION[language].test(code))) {
      return [];
    }
    return [{ name, body: body.join('\n') }];
  });
}

/** Some lines of code from `start` on, with the empty ones between them; none where the file ends before. */
function bodyFrom(lines: readonly string[], start: number): string[] {
  let first = start;
  while (lines[first]?.trim() === '') first++;
  let count = 0;
  for (let end = first; end < lines.length; end++) {
    if (lines[end]?.trim() !== '') count++;
    if (count === BODY_LINES) return lines.slice(first, end + 1);
  }
  return [];
}
