import assert from 'node:assert/strict';
import { queryOf } from '../../../../server/context/ranking/question-terms';
import { RankingIndex } from '../../../../server/context/ranking/ranking-index';
import { questionTerms, termsOf } from '../../../../server/context/ranking/terms';

suite('ranking', () => {
  function indexOf(files: Record<string, string>): RankingIndex {
    const index = new RankingIndex();
    for (const [path, text] of Object.entries(files)) index.put(path, 1, text);
    return index;
  }

  test('identifiers are found whole and by their words', () => {
    assert.deepEqual(termsOf('parseHTTPHeader(max_retries2)'), [
      'parsehttpheader',
      'parse',
      'http',
      'header',
      'max_retries2',
      'max',
      'retries',
    ]);
    assert.deepEqual(termsOf('größeÄndern 漢字'), ['größeändern', 'größe', 'ändern', '漢字']);
    assert.deepEqual(termsOf('x'.repeat(100)), []);
  });

  test('a question keeps what tells, marks names, and tries the singular', () => {
    assert.deepEqual(questionTerms('What does RETRY_LIMIT do with the caches?'), [
      { term: 'retry_limit', isName: true },
      { term: 'retry', isName: false },
      { term: 'limit', isName: false },
      { term: 'caches', isName: false },
      { term: 'cache', isName: false },
    ]);
    assert.deepEqual(
      questionTerms('what is it').map(({ term }) => term),
      ['what', 'is', 'it'],
    );
  });

  test('the file that defines a name comes before those that mention its words', () => {
    const index = indexOf({
      'docs/limits.md': 'The retry limit limits each retry. Retry, retry, limit.',
      'src/retry.ts': 'export function retry(limit) {}',
      'src/client.ts': 'import { RETRY_LIMIT } from "./config";\nuse(RETRY_LIMIT);',
      'src/config.ts': 'export const RETRY_LIMIT = 5;\nexport const OTHER = 6;\nexport const MORE = 7;',
    });
    assert.equal(index.rank(queryOf('What is the value of RETRY_LIMIT?'))[0], 'src/config.ts');
  });

  test('the path counts', () => {
    const index = indexOf({
      'src/worker/pool.ts': 'export const a = 1;',
      'src/main.ts': 'start the pool of workers, the worker pool',
    });
    assert.equal(index.rank(queryOf('How does the worker pool start?'))[0], 'src/worker/pool.ts');
  });

  test('camelCase in the question finds snake_case in the code', () => {
    const index = indexOf({ 'a.py': 'def load_user(): pass', 'b.py': 'def save(): pass' });
    assert.equal(index.rank(queryOf('where is loadUser?'))[0], 'a.py');
  });

  test('every file is ranked, ties and files without a hit in path order', () => {
    const index = indexOf({ 'c.ts': 'same', 'a.ts': 'same', 'z.ts': 'other', 'b.ts': 'nothing' });
    assert.deepEqual(index.rank(queryOf('same?')), ['a.ts', 'c.ts', 'b.ts', 'z.ts']);
    assert.deepEqual(index.rank(queryOf('?!')), ['a.ts', 'b.ts', 'c.ts', 'z.ts']);
    assert.deepEqual(new RankingIndex().rank(queryOf('same')), []);
  });

  test('changed and removed files', () => {
    const index = indexOf({ 'a.ts': 'walrus', 'b.ts': 'walrus walrus' });
    index.put('a.ts', 2, 'penguin');
    assert.equal(index.has('a.ts', 2), true);
    assert.equal(index.has('a.ts', 1), false);
    assert.deepEqual(index.rank(queryOf('penguin')), ['a.ts', 'b.ts']);
    assert.deepEqual(index.rank(queryOf('walrus')), ['b.ts', 'a.ts']);
    index.prune(new Set(['a.ts']));
    assert.deepEqual(index.rank(queryOf('walrus')), ['a.ts']);
    index.put('b.ts', 3, 'walrus');
    assert.deepEqual(index.rank(queryOf('walrus')), ['b.ts', 'a.ts']);
  });

  test('a file that is written again and again takes no more and more room, and is found by its last text', () => {
    const words = (from: number) => Array.from({ length: 3000 }, (_, at) => `word${from + at}x`).join(' ');
    const index = indexOf({ 'steady.ts': 'walrus' });
    for (let version = 2; version < 600; version++) index.put('a.ts', version, words(version * 3000));
    const { terms } = index.savedColumns(['a.ts', 'steady.ts']);
    assert.ok(terms.size < 4, `${terms.size} segments`);
    assert.deepEqual(index.rank(queryOf('word1797000x')), ['a.ts', 'steady.ts']);
    assert.deepEqual(index.rank(queryOf('walrus')), ['steady.ts', 'a.ts']);
  });

  test('earlier questions weigh less than the present one', () => {
    const index = indexOf({ 'walrus.ts': 'walrus', 'penguin.ts': 'penguin' });
    assert.equal(index.rank(queryOf('and where is it used?', ['What is a walrus?']))[0], 'walrus.ts');
    assert.equal(index.rank(queryOf('and the penguin?', ['What is a walrus?']))[0], 'penguin.ts');
  });

  test('the source comes before its tests, unless the question is about tests', () => {
    const text = 'the parser reads tokens';
    const index = indexOf({ 'src/parser.test.ts': text, 'src/parser.ts': text, 'test/parser.ts': text });
    assert.equal(index.rank(queryOf('How does the parser read tokens?'))[0], 'src/parser.ts');
    assert.equal(index.rank(queryOf('Which tests cover the parser?')).at(-1), 'src/parser.ts');
  });

  test('words that are properties of every object do no harm', () => {
    const index = indexOf({ 'a.ts': 'class A { constructor() {} toString() {} __proto__ }' });
    assert.deepEqual(index.rank(queryOf('constructor __proto__ toString hasOwnProperty')), ['a.ts']);
  });
});
