import assert from 'node:assert/strict';
import { citationsOf } from '../../../../server/prompt/citations';
import { definitionsIn } from '../../../../server/prompt/definitions';
import type { PackedText } from '../../../../server/prompt/packed-text';

suite('citations', () => {
  const config = [
    'import { a } from "./a";',
    '',
    'export const RETRY_LIMIT = 57;',
    'export const retryDelayMs = 1_500;',
    '',
    'export function connect(host: string) {',
    '  if (!host) throw new Error("no host given");',
    '  return open(host);',
    '}',
    '',
  ].join('\n');
  const packed: PackedText[] = [
    { path: 'src/config.ts', text: config, firstLine: 1 },
    { path: 'src/client.ts', text: 'use(RETRY_LIMIT);\nconnect("x");\nconnect("y");\n', firstLine: 1 },
    { path: 'lib/client.ts', text: 'let unrelated = 1;\n', firstLine: 1 },
  ];
  const cite = (answer: string, question = '') =>
    citationsOf(answer, question, packed).map(
      ({ path, startLine, endLine, verified, origin, claim }) =>
        `${path}:${startLine}-${endLine} ${origin} ${verified ? 'yes' : 'no'} ${claim}`,
    );

  test('a name in backticks points at its definition', () => {
    assert.deepEqual(cite('It is set by `RETRY_LIMIT`.'), ['src/config.ts:3-3 symbol yes RETRY_LIMIT']);
    assert.deepEqual(cite('Call `connect()` first.'), ['src/config.ts:6-6 symbol yes connect()']);
    assert.deepEqual(cite('See `config.retryDelayMs`.'), [
      'src/config.ts:4-4 symbol yes config.retryDelayMs',
    ]);
  });

  test('a bare name counts when it has the shape of code', () => {
    assert.deepEqual(cite('The value of RETRY_LIMIT is 57.'), ['src/config.ts:3-3 symbol yes RETRY_LIMIT']);
    assert.deepEqual(cite('The word connect alone is just a word.'), []);
  });

  test('names that are nowhere, or in many places, are not cited', () => {
    assert.deepEqual(cite('It uses `frobnicate` and `MADE_UP_NAME`.'), []);
    const many = [{ path: 'a.ts', text: 'x(thing);\n'.repeat(5), firstLine: 1 }];
    assert.deepEqual(citationsOf('`thing`', '', many), []);
  });

  test('a written place is verified only if its lines hold what the sentence claims', () => {
    assert.deepEqual(cite('`RETRY_LIMIT` is in src/config.ts:3.'), [
      'src/config.ts:3-3 written yes RETRY_LIMIT',
    ]);
    assert.deepEqual(cite('`RETRY_LIMIT` is at `src/config.ts:5-6`.'), [
      'src/config.ts:5-6 written no RETRY_LIMIT',
      'src/config.ts:3-3 symbol yes RETRY_LIMIT',
    ]);
    assert.deepEqual(cite('Look at src/config.ts:3.'), ['src/config.ts:3-3 written no ']);
    assert.deepEqual(
      cite('Other. `RETRY_LIMIT` exists. See src/config.ts:3 for more.')[0],
      'src/config.ts:3-3 written no ',
    );
    assert.deepEqual(
      cite('`RETRY_LIMIT` in nowhere/x.ts:3 or src/config.ts:900')[0],
      'nowhere/x.ts:3-3 written no RETRY_LIMIT',
    );
  });

  test('places are written in many ways', () => {
    const places = [
      'config.ts:3',
      './src/config.ts:3',
      '`src/config.ts` line 3',
      'src/config.ts#L3',
      'src/config.ts (line 3)',
      '[src/config.ts](src/config.ts:3)',
    ];
    for (const place of places) {
      const [first] = cite(`The \`RETRY_LIMIT\` stands in ${place}.`);
      assert.equal(first, 'src/config.ts:3-3 written yes RETRY_LIMIT', place);
    }
    assert.deepEqual(
      cite('`connect` is in src/config.ts, lines 6 to 9.')[0],
      'src/config.ts:6-9 written yes connect',
    );
    assert.deepEqual(cite('Port localhost:8080 and time 12:30 and ratio:3 are no places'), [...cite('')]);
  });

  test('a short path is only taken when one file ends so', () => {
    assert.deepEqual(cite('`connect` is used in client.ts:2')[0], 'client.ts:2-2 written no connect');
  });

  test('quoted code is found whatever its indentation, and what is made up is not', () => {
    const block = '```ts\nif (!host) throw new Error("no host given");\nreturn open(host);\n```';
    assert.match(cite(`It checks:\n${block}`)[0]!, /^src\/config.ts:7-8 quote yes/);
    assert.deepEqual(cite('```ts\nif (!port) throw new Error("no port");\nreturn shut(port);\n```'), []);
    assert.deepEqual(cite('```\n}\n```'), []);
    assert.match(cite('It says "no host given" then.')[0]!, /^src\/config.ts:7-7 quote yes no host given/);
    assert.match(cite('See `export const RETRY_LIMIT = 57`.')[0]!, /^src\/config.ts:3-3 quote yes/);
  });

  test('a quote with a changed line is cited for the part that holds', () => {
    const block =
      '```\nif (!host) throw new Error("no host given");\nreturn open(host);\nreturn made.up;\n```';
    assert.match(cite(block)[0]!, /^src\/config.ts:7-8 quote yes/);
  });

  test('an unfinished code block counts', () => {
    assert.match(cite('```ts\nexport const RETRY_LIMIT = 57;')[0]!, /^src\/config.ts:3-3 quote yes/);
  });

  test('an answer that is only a value is cited by the name in the question', () => {
    const question = 'What is the value of RETRY_LIMIT?';
    assert.deepEqual(cite('57', question), ['src/config.ts:3-3 quote yes 57']);
    assert.deepEqual(cite('It is 5.', question), [], 'part of a number is not the number');
    assert.deepEqual(cite('It is 58.', question), []);
  });

  test('a path in backticks says which file is meant', () => {
    assert.deepEqual(cite('The `src/config.ts` file.'), []);
    const twice = [
      { path: 'a/x.ts', text: 'function twin() {}\n', firstLine: 1 },
      { path: 'b/x.ts', text: 'function twin() {}\n', firstLine: 1 },
    ];
    const found = citationsOf('`twin` in `b/x.ts`', '', twice);
    assert.deepEqual(
      found.map((citation) => citation.path),
      ['b/x.ts'],
    );
  });

  test('lines of a selection are those of its file', () => {
    const selection = [{ path: 'a.ts', text: 'let one;\nfunction planted() {}\n', firstLine: 40 }];
    const [found] = citationsOf('`planted` is it. See a.ts:41 for `planted`.', '', selection);
    assert.deepEqual([found?.startLine, found?.verified], [41, true]);
    assert.equal(citationsOf('`planted` at a.ts:2', '', selection)[0]?.verified, false);
  });

  test('each place once, and not without end', () => {
    assert.equal(cite('`RETRY_LIMIT` `RETRY_LIMIT` RETRY_LIMIT').length, 1);
    const text = Array.from({ length: 40 }, (_, i) => `const name_${i} = ${i};`).join('\n');
    const answer = Array.from({ length: 40 }, (_, i) => `\`name_${i}\``).join(' ');
    assert.equal(citationsOf(answer, '', [{ path: 'a.ts', text, firstLine: 1 }]).length, 12);
  });

  test('hostile answers and files take no time and raise nothing', () => {
    const hostile = [
      '`'.repeat(5000),
      '```'.repeat(2000),
      'a.'.repeat(5000),
      '/'.repeat(10_000),
      '"'.repeat(9999),
      'a_'.repeat(5000),
    ];
    for (const answer of [...hostile, '', '\uD800', '<script>alert(1)</script>']) {
      assert.ok(Array.isArray(citationsOf(answer, answer, packed)));
    }
    const long = [
      { path: 'a.ts', text: `const a${' b'.repeat(50_000)}\n${'(((('.repeat(99)}`, firstLine: 1 },
    ];
    assert.ok(Array.isArray(citationsOf('`a` and `b`', '', long)));
  });
});

suite('definitions', () => {
  const names = (text: string) => definitionsIn(text).map((definition) => definition.name);

  test('of common languages', () => {
    const lines: [string, string][] = [
      ['export async function load(x) {', 'load'],
      ['export default class Store {', 'Store'],
      ['export const LIMIT = 3;', 'LIMIT'],
      ['type Name = string;', 'Name'],
      ['  private async fetchAll(id: string): Promise<void> {', 'fetchAll'],
      ['def parse_all(self):', 'parse_all'],
      ['RETRIES = 5', 'RETRIES'],
      ['func (s *Server) Listen(addr string) error {', 'Listen'],
      ['func main() {', 'main'],
      ['pub(crate) fn encode(&self) {', 'encode'],
      ['#define MAX_SIZE 10', 'MAX_SIZE'],
      ['static int compute(int a) {', 'compute'],
      ['public static final int LIMIT = 3;', 'LIMIT'],
      ['public String getName() {', 'getName'],
      ['  "timeout": 30,', 'timeout'],
      ['timeout: 30', 'timeout'],
    ];
    for (const [line, name] of lines) assert.deepEqual(names(line), [name], line);
  });

  test('statements define nothing', () => {
    const lines = [
      'return load(x);',
      'if (a === b) {',
      '  foo(1);',
      '} else {',
      '// const x',
      'await connect();',
      'throw new Error(x);',
    ];
    assert.deepEqual(names(lines.join('\n')), []);
  });

  test('lines count from 1', () => {
    assert.deepEqual(definitionsIn('\n\nlet here = 1;\n'), [{ name: 'here', line: 3 }]);
  });
});
