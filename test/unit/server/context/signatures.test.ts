import assert from 'node:assert/strict';
import { queryOf } from '../../../../server/context/ranking/question-terms';
import { Grammars } from '../../../../server/context/signatures/grammars';
import { mostTelling } from '../../../../server/context/signatures/most-telling';
import { SignatureReader } from '../../../../server/context/signatures/signatures';

suite('signatures', () => {
  const reader = new SignatureReader(new Grammars('node_modules/@vscode/tree-sitter-wasm/wasm'));
  const read = async (path: string, text: string) =>
    (await reader.read(path, path + text, text)).map(
      ({ text: head, line, depth }) => `${line}:${depth} ${head}`,
    );

  test('heads of functions, classes and methods, with the lines where they start', async () => {
    const text = `import a from 'a';
/** Says nothing of its own. */
export class Cache<T> extends Base {
  private size = 0;
  get(key: string): T {
    if (key) { return inner(function hidden() {}); }
  }
}
export const merge = async (
  left: number,
) => {
  return left;
};`;
    assert.deepEqual(await read('a.ts', text), [
      '3:0 class Cache<T> extends Base',
      '5:1 get(key: string): T',
      '9:0 const merge = async ( left: number, )',
    ]);
  });

  test('names and last lines of what is defined, in each language', async () => {
    const places = async (path: string, text: string) =>
      (await reader.read(path, path + text, text)).map(
        ({ name, line, endLine }) => `${name} ${line}-${endLine}`,
      );
    const typescript =
      'export class A {\n  get(): B {\n    return 1;\n  }\n}\nconst f = () => {\n};\ntype T = 1;\n';
    assert.deepEqual(await places('a.ts', typescript), ['A 1-5', 'get 2-4', 'f 6-7', 'T 8-8']);
    const cpp = 'int* Cache::find(int key) {\n  return 0;\n}\nstruct Free {\n  int a;\n};\n';
    assert.deepEqual(await places('a.cc', cpp), ['find 1-3', 'Free 4-6']);
    assert.deepEqual(await places('a.py', '@wrap\nclass A(B):\n    def get(self):\n        return 1\n'), [
      'A 2-4',
      'get 3-4',
    ]);
    assert.deepEqual(await places('a.rs', 'impl Cache {\n    fn get(&self) {\n    }\n}\n'), [
      'Cache 1-4',
      'get 2-3',
    ]);
    assert.deepEqual(await places('a.go', 'package a\nfunc (c *Cache) Get() int {\n}\n'), ['Get 2-3']);
    assert.deepEqual(await places('a.kt', 'fun add(a: Int) {\n    b()\n}\nc()\n'), ['add 1-3']);
  });

  test('each language with a grammar', async () => {
    const python = '@wrap\nclass A(B):\n    def get(self, key):\n        return 1\n\ndef free(x): pass\n';
    assert.deepEqual(await read('a.py', python), [
      '2:0 class A(B)',
      '3:1 def get(self, key)',
      '6:0 def free(x)',
    ]);
    const rust = 'impl Cache {\n    pub fn get(&self) -> u8 { 1 }\n}\nstruct Free { a: u8 }\n';
    assert.deepEqual(await read('a.rs', rust), [
      '1:0 impl Cache',
      '2:1 pub fn get(&self) -> u8',
      '4:0 struct Free',
    ]);
    assert.deepEqual(await read('a.go', 'package a\nfunc (c *Cache) Get(key string) int { return 1 }\n'), [
      '2:0 func (c *Cache) Get(key string) int',
    ]);
    assert.deepEqual(await read('a.cpp', 'namespace n {\nint get(int key) { return key; }\n}\n'), [
      '1:0 namespace n',
      '2:1 int get(int key)',
    ]);
    const java = 'class A {\n  int get(String key) { return 1; }\n}\n';
    assert.deepEqual(await read('A.java', java), ['1:0 class A', '2:1 int get(String key)']);
  });

  test('a language without a grammar falls back to expressions; broken text is read as far as it goes', async () => {
    assert.deepEqual(await read('a.kt', 'class Abc {\n    fun get(key: String): Int {\n'), [
      '1:0 class Abc',
      '2:1 fun get(key: String): Int',
    ]);
    assert.deepEqual(
      await read('b.ts', 'function alpha() { ((((\nfunction beta() {}\n'.repeat(3)).then(
        ({ length }) => length > 0,
      ),
      true,
    );
    assert.deepEqual(await read('c.md', 'Nothing is defined here.\n'), []);
  });

  test('many languages after each other', async () => {
    for (const extension of 'ts js py java go rs cpp cs php rb ts'.split(' ')) {
      await read(`x.${extension}`, `class A${extension} { }`);
    }
    assert.deepEqual(await read('y.ts', 'class Last {}'), ['1:0 class Last']);
  });

  test('of many, those that the question speaks of, in the order of the file', async () => {
    const text = Array.from(
      { length: 50 },
      (_, i) => `function ${i === 44 ? 'retryBatch' : `f${i}`}() {}\n`,
    ).join('');
    const all = await reader.read('many.ts', 'many', text);
    const some = mostTelling(all, queryOf('Where is a batch retried?').boosts);
    assert.equal(some.length, 12);
    assert.equal(some.at(-1)?.line, 45);
    assert.deepEqual(mostTelling(all), all.slice(0, 24));
  });
});
