import { Random } from '../quality/random';

/**
 * The rule by which questions are made, fixed before ranking was tuned:
 *
 * - A question is what a doc comment says of the function, method or class below it: its first paragraph, without
 *   markup, with every mention of the thing's own name taken out. It has 8 to 60 words after that.
 * - The answer is the file where the thing is defined. Its name is documented in no other file, and the same
 *   words stand over nothing else.
 * - The doc comment itself is taken out of the repository that is searched, for every system alike: what is left
 *   to find is the code, not a quotation. So are the comments of all other questions of that repository.
 * - Files of tests are no answers. One question a file at most; which files, and which comment in each, the seed says.
 */
export interface Question {
  text: string;
  answerPath: string;
  /** Of the thing that the question describes. */
  symbol: string;
}

export interface SourceFile {
  path: string;
  text: string;
}

export interface Asked {
  questions: Question[];
  /** The repository without the comments that became questions. */
  files: SourceFile[];
}

interface Documented {
  path: string;
  symbol: string;
  words: string;
  /** Of the comment in the text of its file. */
  start: number;
  end: number;
}

const WORDS = { least: 8, most: 60 };
const SHORTEST_SYMBOL = 4;
const TEST_PATH =
  /(?:^|\/)(?:tests?|testing|specs?|__tests__|fixtures?|mocks?|__mocks__)\/|[._-](?:test|spec)s?\./i;

/** `count` questions about `files`, or as many as there are. */
export function askAbout(id: string, files: readonly SourceFile[], count: number): Asked {
  const random = new Random(`recall/${id}`);
  const documented = files.flatMap(documentedIn);
  const places = countBy(documented, ({ symbol }) => symbol);
  const repeated = countBy(documented, ({ words }) => words);
  const usable = documented.filter(
    ({ path, symbol, words }) =>
      !TEST_PATH.test(path) && places.get(symbol) === 1 && repeated.get(words) === 1,
  );
  const byFile = new Map<string, Documented[]>();
  for (const each of usable) byFile.set(each.path, [...(byFile.get(each.path) ?? []), each]);
  const chosen = random
    .shuffled([...byFile.values()])
    .slice(0, count)
    .flatMap((inFile) => random.shuffled(inFile).slice(0, 1));
  const removed = new Map(chosen.map((each) => [each.path, each]));
  return {
    questions: chosen.map(({ words, path, symbol }) => ({ text: words, answerPath: path, symbol })),
    files: files.map(({ path, text }) => {
      const comment = removed.get(path);
      return { path, text: comment ? text.slice(0, comment.start) + text.slice(comment.end) : text };
    }),
  };
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}

function documentedIn(file: SourceFile): Documented[] {
  return file.path.endsWith('.py') ? pythonDocstrings(file) : blockComments(file);
}

const PYTHON =
  /^[ \t]*(?:async )?(?:def|class) (\w+)[^\n]*?(?:\n[^\n]*?){0,8}?:\n([ \t]*)[rR]?"""([\s\S]*?)"""[ \t]*\n/gm;

function pythonDocstrings({ path, text }: SourceFile): Documented[] {
  return [...text.matchAll(PYTHON)].flatMap((match) => {
    const [whole, symbol = '', , comment = ''] = match;
    const docstring = whole.lastIndexOf('"""', whole.lastIndexOf('"""') - 1);
    const start = match.index + whole.lastIndexOf('\n', docstring) + 1;
    const head = whole.slice(0, docstring);
    // A head with another definition or statement in it is not one head.
    if (/\n\s*(?:return|def|class|if|for|pass)\b/.test(head)) return [];
    return documented(path, symbol, comment, start, match.index + whole.length);
  });
}

const BLOCK = /^[ \t]*\/\*\*([\s\S]*?)\*\/[ \t]*\n((?:[ \t]*(?:@|\/\/)[^\n]*\n)*)([^\n]*)/gm;
const HEAD =
  /^\s*(?:(?:export|default|declare|public|private|protected|internal|static|final|abstract|sealed|open|override|virtual|inline|async|suspend|data|constexpr|explicit|template<[^>]*>)\s+)*(?:(?:function\*?|class|interface|struct|object|fun|const|enum(?: class)?)\s+(?:<[^>]*>\s*)?(\w+)|(?:[\w:<>,*&?[\]]+\s+)*[*&]*(\w+)\s*(?:<[^>]*>)?\()/;
const NO_NAMES = new Set(
  'if for while switch return catch constructor super function new throw sizeof'.split(' '),
);

function blockComments({ path, text }: SourceFile): Documented[] {
  return [...text.matchAll(BLOCK)].flatMap((match) => {
    const [, comment = '', between = '', line = ''] = match;
    const name = HEAD.exec(line);
    const symbol = name?.[1] ?? name?.[2];
    if (symbol === undefined || NO_NAMES.has(symbol)) return [];
    const end = match.index + match[0].length - line.length - between.length;
    return documented(path, symbol, comment.replaceAll(/^\s*\* ?/gm, ''), match.index, end);
  });
}

function documented(path: string, symbol: string, comment: string, start: number, end: number): Documented[] {
  const words = describe(comment, symbol);
  const count = words.split(' ').length;
  const fits = count >= WORDS.least && count <= WORDS.most;
  return fits && symbol.length >= SHORTEST_SYMBOL ? [{ path, symbol, words, start, end }] : [];
}

/** The first paragraph without markup and without the name of what it describes. */
function describe(comment: string, symbol: string): string {
  const paragraph =
    comment.trim().split(/\n\s*\n|\n\s*(?:@|:param|Args:|Parameters|Returns|\.\. |>>> |\*\*)/)[0] ?? '';
  if (/^(?:@|\*\*@)|copyright|licen[cs]e/i.test(paragraph)) return '';
  return paragraph
    .replaceAll(/\{@\w+ ([^}|]*)[^}]*\}/g, '$1')
    .replaceAll(/:\w+:`~?\.?([^`]*)`/g, '$1')
    .replaceAll(/[`*|]+|<[^>]*>/g, ' ')
    .replaceAll(new RegExp(`\\b${symbol}\\b`, 'gi'), ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
