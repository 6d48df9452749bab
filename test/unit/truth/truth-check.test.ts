import assert from 'node:assert/strict';
import { plantRepository } from '../../e2e/truth/planted-repository';
import { assertTrueAnswer } from '../../e2e/truth/truth-check';

/** What stands between the end-to-end test and an engine that only pretends to read. */
suite('the truth check', () => {
  const planted = plantRepository();
  const proof = { path: planted.path, startLine: planted.line, endLine: planted.line, verified: true };
  const rejects = (answer: string, citations = [proof]): void => {
    assert.throws(() => {
      assertTrueAnswer({ answer, citations }, planted);
    }, assert.AssertionError);
  };

  test('accepts the value with a verified citation of its place', () => {
    assertTrueAnswer({ answer: `It is \`${planted.value}\`.`, citations: [proof] }, planted);
  });

  test('rejects an engine that echoes the question', () => {
    assert.ok(!planted.question.includes(planted.value));
    rejects(planted.question);
  });

  test('rejects an engine that echoes the prompt', () => {
    rejects([...Object.values(planted.files), planted.question].join('\n'));
  });

  test('rejects another file’s value', () => {
    rejects(`It is ${planted.decoys[0]!}.`);
  });

  test('rejects the value as a part of a longer number', () => {
    rejects(`It is ${planted.value}7.`);
  });

  test('rejects a citation that is not verified, of another file or of other lines', () => {
    const answer = `It is ${planted.value}.`;
    rejects(answer, []);
    rejects(answer, [{ ...proof, verified: false }]);
    rejects(answer, [{ ...proof, path: 'src/other.ts' }]);
    rejects(answer, [{ ...proof, startLine: planted.line + 1, endLine: planted.line + 3 }]);
  });

  test('plants another fact every time, at the line that it names', () => {
    const again = plantRepository();
    assert.notEqual(`${again.path} ${again.value}`, `${planted.path} ${planted.value}`);
    assert.equal(Object.keys(again.files).length, 30);
    const line = again.files[again.path]!.split('\n')[again.line - 1]!;
    assert.match(line, new RegExp(`= ${again.value};`));
  });
});
