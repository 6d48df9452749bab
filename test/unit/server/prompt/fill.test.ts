import assert from 'node:assert/strict';
import { fileBlock, signaturesBlock } from '../../../../server/prompt/file-block';
import { fillByValue } from '../../../../server/prompt/fill';
import { joinTokens } from '../../../../server/prompt/parts';
import { pathsWithin } from '../../../../server/prompt/path-list';
import { charModel, ranked } from './fakes';

suite('fill', () => {
  const { tokenizer } = charModel();
  const encode = (text: string) => tokenizer.encode(text);
  const text = 'x'.repeat(2000);

  const fill = (roomTokens: number, count: number, gone: readonly string[] = []) =>
    fillByValue({
      candidates: ranked(Array.from({ length: count }, (_, i) => `f${i}.ts`)),
      roomTokens,
      leastTokens: 10,
      load: (path, detail) => {
        if (gone.includes(path)) return Promise.resolve({ path, reason: 'unreadable' });
        const signatures = [{ text: `function of_${path}()`, line: 7, depth: 0 }];
        return Promise.resolve(
          detail === 'full'
            ? fileBlock({ path, text, hash: path, editedAtMs: 0 }, encode(text), encode)
            : signaturesBlock({ path, editedAtMs: 0 }, signatures, encode),
        );
      },
    });

  test('little room goes to signatures of many files, more room to whole text of the likeliest', async () => {
    const little = await fill(1000, 100);
    assert.ok(little.files.length >= 10);
    assert.ok(little.files.every(({ detail }) => detail === 'signatures'));
    const more = await fill(12_000, 100);
    assert.equal(more.files[0]!.detail, 'full');
    assert.equal(more.files.at(-1)!.detail, 'signatures');
    assert.deepEqual(
      more.files.map(({ path }) => path),
      Array.from(more.files, (_, i) => `f${i}.ts`),
    );
  });

  test('never beyond the room, counted exactly', async () => {
    for (let room = 0; room < 9000; room += 101) {
      const { files, tokens } = await fill(room, 12);
      assert.equal(
        tokens,
        files.reduce((sum, { ids }) => sum + ids.length, 0),
      );
      assert.ok(tokens <= room);
    }
  });

  test('everything whole where there is room for it', async () => {
    const { files } = await fill(1e6, 30);
    assert.deepEqual(
      files.map(({ detail }) => detail),
      Array.from({ length: 30 }, () => 'full'),
    );
  });

  test('a file that is gone is told once and takes nothing', async () => {
    const { files, lost } = await fill(1e6, 3, ['f1.ts']);
    assert.deepEqual(
      files.map(({ path }) => path),
      ['f0.ts', 'f2.ts'],
    );
    assert.deepEqual(lost, [{ path: 'f1.ts', reason: 'unreadable' }]);
  });

  test('a signature keeps the line where it stands in the file', async () => {
    const { files } = await fill(100, 1);
    assert.deepEqual(files[0]!.passages, [{ text: 'function of_f0.ts()', firstLine: 7 }]);
  });

  test('paths fill the rest, each on one line whatever it holds', () => {
    const { entries, pieces } = pathsWithin(['a.ts', 'two\nlines.ts', 'x'.repeat(500), 'b.ts'], 120, encode);
    assert.deepEqual(
      entries.map(({ path }) => path),
      ['a.ts', 'two\nlines.ts', 'b.ts'],
    );
    const ids = joinTokens([...pieces]);
    assert.ok(ids.length <= 120);
    assert.equal(tokenizer.decode(ids).trimEnd().split('\n').length, 4);
  });
});
