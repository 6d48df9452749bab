import fs from 'node:fs';
import path from 'node:path';
import { Random } from '../quality/random';

/** How one language writes what a file is made of. */
interface Language {
  extension: string;
  comment: (words: string) => string;
  use: (module: string, name: string) => string;
  define: (name: string, argument: string, body: string[]) => string;
  call: (name: string, argument: string) => string;
  assign: (name: string, value: string) => string;
}

const braces = (head: string, body: string[]): string =>
  `${head} {\n${body.map((line) => `    ${line}\n`).join('')}}\n`;

const LANGUAGES: readonly Language[] = [
  {
    extension: 'ts',
    comment: (words) => `/** ${words}. */`,
    use: (module, name) => `import { ${name} } from './${module}';`,
    define: (name, argument, body) => braces(`export function ${name}(${argument}: string): number`, body),
    call: (name, argument) => `${name}(${argument});`,
    assign: (name, value) => `const ${name} = ${value};`,
  },
  {
    extension: 'js',
    comment: (words) => `// ${words}.`,
    use: (module, name) => `const { ${name} } = require('./${module}');`,
    define: (name, argument, body) => braces(`function ${name}(${argument})`, body),
    call: (name, argument) => `await ${name}(${argument});`,
    assign: (name, value) => `let ${name} = ${value};`,
  },
  {
    extension: 'py',
    comment: (words) => `# ${words}.`,
    use: (module, name) => `from .${module} import ${name}`,
    define: (name, argument, body) =>
      `def ${snake(name)}(${argument}):\n${body.map((line) => `    ${line}\n`).join('')}`,
    call: (name, argument) => `${snake(name)}(${argument})`,
    assign: (name, value) => `${snake(name)} = ${value}`,
  },
  {
    extension: 'java',
    comment: (words) => `/** ${words}. */`,
    use: (module, name) => `import org.example.${module}.${name};`,
    define: (name, argument, body) => braces(`public static int ${name}(String ${argument})`, body),
    call: (name, argument) => `${name}(${argument});`,
    assign: (name, value) => `final int ${name} = ${value};`,
  },
  {
    extension: 'go',
    comment: (words) => `// ${words}.`,
    use: (module) => `import "example.org/${module}"`,
    define: (name, argument, body) => braces(`func ${name}(${argument} string) int`, body),
    call: (name, argument) => `${name}(${argument})`,
    assign: (name, value) => `${name} := ${value}`,
  },
  {
    extension: 'rs',
    comment: (words) => `/// ${words}.`,
    use: (module, name) => `use crate::${module}::${snake(name)};`,
    define: (name, argument, body) => braces(`pub fn ${snake(name)}(${argument}: &str) -> usize`, body),
    call: (name, argument) => `${snake(name)}(${argument});`,
    assign: (name, value) => `let ${snake(name)} = ${value};`,
  },
  {
    extension: 'cpp',
    comment: (words) => `// ${words}.`,
    use: (module) => `#include "${module}.h"`,
    define: (name, argument, body) => braces(`int ${name}(const std::string& ${argument})`, body),
    call: (name, argument) => `${name}(${argument});`,
    assign: (name, value) => `const auto ${name} = ${value};`,
  },
  {
    extension: 'cs',
    comment: (words) => `/// <summary>${words}.</summary>`,
    use: (module) => `using Example.${module};`,
    define: (name, argument, body) => braces(`public static int ${name}(string ${argument})`, body),
    call: (name, argument) => `${name}(${argument});`,
    assign: (name, value) => `var ${name} = ${value};`,
  },
];

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const ROOTS =
  'cache token parse index queue retry build client server frame graph merge query route state write stream batch file user session event lock clock page block shard table column cursor buffer packet socket thread worker config option filter layout render shader vertex matrix kernel tensor layer model prompt answer score rank path tree node edge commit branch patch diff'.split(
    ' ',
  );
const WORDS = 20_000;
const FILES_IN_FOLDER = 40;

export interface CorpusSize {
  files: number;
  bytes: number;
}

/**
 * Writes `files` files of about `bytes` bytes together below `folder`: eight languages, names that files share and
 * refer to across folders, words as unevenly common as in real text, sizes from one to a hundred kilobytes. The same
 * size gives the same bytes. What is there from an earlier run stays.
 */
export function writeCorpus(folder: string, { files, bytes }: CorpusSize): void {
  const done = `${folder}.done`;
  if (fs.existsSync(done)) return;
  fs.rmSync(folder, { recursive: true, force: true });
  const random = new Random(`scale/${files}/${bytes}`);
  const words = Array.from({ length: WORDS }, (_, at) => wordOf(random, at));
  for (let file = 0; file < files; file++) {
    const language = LANGUAGES[random.below(LANGUAGES.length)];
    if (!language) throw new RangeError('no language');
    const dir = path.join(
      folder,
      `pkg${Math.floor(file / FILES_IN_FOLDER / 25)}`,
      `mod${Math.floor(file / FILES_IN_FOLDER)}`,
    );
    if (file % FILES_IN_FOLDER === 0) fs.mkdirSync(dir, { recursive: true });
    // Sizes spread over two orders of magnitude around the mean, as those of real files do.
    const size =
      (bytes / files) *
      Math.exp(1.1 * (random.next() + random.next() + random.next() - 1.5) * 2 - 0.6) *
      1.05;
    const name = nameOf(random, words);
    fs.writeFileSync(
      path.join(dir, `${name}${file}.${language.extension}`),
      textOf(language, size, random, words),
    );
  }
  fs.writeFileSync(done, '');
}

function wordOf(random: Random, at: number): string {
  const root = ROOTS[at % ROOTS.length] ?? 'word';
  if (at < ROOTS.length) return root;
  const letters = 'etaoinshrdlucmfwypvbgk';
  return Array.from({ length: 4 + random.below(6) }, () => letters.charAt(random.below(letters.length))).join(
    '',
  );
}

/** Of rank r about 1/r as often as the first. */
const pick = (random: Random, words: readonly string[]): string =>
  words[Math.floor(words.length ** random.next()) - 1] ?? 'word';

function nameOf(random: Random, words: readonly string[]): string {
  const rest = Array.from({ length: 1 + random.below(2) }, () => pick(random, words));
  return pick(random, words) + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function textOf(language: Language, size: number, random: Random, words: readonly string[]): string {
  const parts: string[] = [];
  let length = 0;
  const put = (text: string): void => {
    parts.push(text);
    length += text.length + 1;
  };
  const names = Array.from({ length: 12 }, () => nameOf(random, words));
  for (const name of names.slice(0, 6)) put(language.use(pick(random, words), name));
  while (length < size) {
    const sentence = Array.from({ length: 8 + random.below(12) }, () => pick(random, words)).join(' ');
    put(language.comment(sentence));
    const body = Array.from({ length: 3 + random.below(12) }, (_, line) =>
      line % 3 === 0
        ? language.assign(nameOf(random, words), String(random.below(1000)))
        : language.call(names[random.below(names.length)] ?? 'call', pick(random, words)),
    );
    put(language.define(nameOf(random, words), pick(random, words), body));
  }
  return parts.join('\n');
}
