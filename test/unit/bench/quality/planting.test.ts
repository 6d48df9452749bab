import assert from 'node:assert/strict';
import type { SourceFile } from '../../../../bench/quality/fetch';
import { functionExcerpts } from '../../../../bench/quality/functions';
import { insertionPoints } from '../../../../bench/quality/insertion-points';
import { plant, type Question } from '../../../../bench/quality/planting';
import { Random } from '../../../../bench/quality/random';
import { plantingsOf, repositoriesOf } from '../../../../bench/quality/sets';

const block = (i: number): string =>
  `export function compute${i}Total(items) {\n  const first = items[${i}];\n` +
  Array.from({ length: 6 }, (_, line) => `  step(first, ${i}, ${line});\n`).join('') +
  '}\n\n';

const FILES: SourceFile[] = Array.from({ length: 10 }, (_, file) => ({
  path: `src/file${file}.ts`,
  text: Array.from({ length: 10 }, (_, i) => block(10 * file + i)).join('') + 'end();\n',
}));

const [TYPESCRIPT, PYTHON] = (['typescript', 'python'] as const).map((language) => {
  const repository = repositoriesOf('reporting').find((candidate) => candidate.language === language);
  return { repository: repository!, seed: 1 };
});
const COUNTS = { needle: 12, multiKey: 2, tracking: 4, function: 5 };

const isOfNeedle = ({ task }: Question): boolean => task !== 'function';

const nameIn = (question: string): string => /[A-Z_]{9,}/.exec(question)?.[0] ?? '';

suite('bench/quality planting', () => {
  const planted = plant(FILES, TYPESCRIPT!, COUNTS);
  const text = planted.files.map((file) => file.text).join('\n');

  test('every needle is in the files once, and only added lines differ', () => {
    const about = planted.questions.filter(({ task }) => task !== 'function');
    assert.equal(about.length, 12 + 8 + 4);
    for (const { text: question } of about) {
      const name = nameIn(question);
      assert.equal(text.split(`export const ${name} = `).length, 2, question);
    }
    const added = 12 + 8 + 2 * 4;
    const lines = (files: SourceFile[]) => files.flatMap((file) => file.text.split('\n')).length;
    assert.equal(lines(planted.files), lines(FILES) + 2 * added);
  });

  test('a constant has the value that is expected; a chain has its first link first', () => {
    for (const { task, text: question, expected } of planted.questions.filter(isOfNeedle)) {
      const name = nameIn(question);
      const value = new RegExp(`${name} = "?([\\w-]+)`).exec(text)?.[1] ?? '';
      assert.equal(value, expected);
      if (task !== 'tracking') continue;
      const first = text.search(new RegExp(`export const ${expected} = \\d{5};`));
      assert.ok(first >= 0 && first < text.indexOf(`${name} = ${expected}`), question);
    }
  });

  test('an answer begins with the definition, up to what is expected', () => {
    for (const { lead, text: question, expected } of planted.questions.filter(isOfNeedle)) {
      const definition = lead.slice(lead.indexOf('`') + 1);
      assert.match(definition, new RegExp(`^export const ${nameIn(question)} = "?$`));
      assert.ok(text.includes(definition + expected), lead);
    }
  });

  test('no two names share their first or second word, but for those of a group', () => {
    const names = planted.questions.filter(isOfNeedle).map(({ text: question }) => nameIn(question));
    const stems = new Set(names.map((name) => name.split('_').slice(0, 3).join('_')));
    for (const at of [0, 1]) {
      assert.equal(new Set([...stems].map((stem) => stem.split('_')[at])).size, stems.size);
    }
  });

  test('needles lie at all depths', () => {
    const depths = planted.questions.filter(({ task }) => task === 'needle').map(({ depth }) => depth);
    assert.ok(Math.min(...depths) < 0.25 && Math.max(...depths) > 0.75, depths.join(' '));
  });

  test('the same seed plants the same, another one something else', () => {
    assert.deepEqual(plant(FILES, TYPESCRIPT!, COUNTS), planted);
    assert.notDeepEqual(plant(FILES, { ...TYPESCRIPT!, seed: 2 }, COUNTS).questions, planted.questions);
  });

  test('functions that are asked about are shown without their names, and are defined once', () => {
    const excerpts = functionExcerpts(FILES, 'typescript', 5, new Random('a'));
    assert.equal(excerpts.length, 5);
    for (const { name, body } of excerpts) {
      assert.ok(!body.includes(name));
      assert.equal(text.split(`function ${name}(`).length, 2);
      assert.ok(text.indexOf(`function ${name}(`) < text.indexOf(body), 'the body follows its name');
    }
  });

  test('no statement is inserted into a comment or a long string', () => {
    const python = 'a = 1\n\n"""\nlong\n\nstring\n"""\n\nb = 2\n\n    c = 3\n';
    const points = insertionPoints([{ path: 'a.py', text: python }], PYTHON!.repository.language);
    assert.deepEqual(
      points.map(({ line, indentation }) => [line, indentation]),
      [
        [8, ''],
        [10, '    '],
      ],
    );
  });

  test('too few places are an error', () => {
    assert.throws(() => plant(FILES.slice(0, 1), TYPESCRIPT!, COUNTS), /places for 28 needles/);
  });
});

suite('bench/quality sets', () => {
  test('three rounds are every repository under every seed; nothing is in both sets', () => {
    const plantings = plantingsOf('reporting', 3).map(({ repository, seed }) => `${repository.id} ${seed}`);
    assert.equal(new Set(plantings).size, 3 * repositoriesOf('reporting').length);
    const reporting = new Set(repositoriesOf('reporting').map(({ package: name }) => name));
    assert.ok(repositoriesOf('tuning').every(({ package: name }) => !reporting.has(name)));
  });
});
