import assert from 'node:assert/strict';
import { fileBlock, signaturesBlock } from '../../../../server/prompt/file-block';
import { type PackedResult, type PackInput, packPrompt } from '../../../../server/prompt/pack';
import { charModel, plainInput, ranked } from './fakes';

suite('pinned files', () => {
  const { tokenizer, frame } = charModel();
  const encode = (text: string) => tokenizer.encode(text);
  /** 100 files of 250 characters, the last ones the least likely; `big.ts` is longer than any budget of these tests. */
  const paths = [
    ...Array.from({ length: 100 }, (_, i) => `f${String(i).padStart(2, '0')}.ts`),
    'big.ts',
  ].sort();
  const textOf = (path: string) => `${'x'.repeat(path === 'big.ts' ? 20_000 : 249)}\n`;

  function inputOf(changes: Partial<PackInput> = {}): PackInput {
    return {
      budgetTokens: 8000,
      ...plainInput(paths),
      rank: () => [],
      loadFile: (path, detail) => {
        const text = textOf(path);
        const head = [{ text: `function of_${path}()`, line: 7, depth: 0 }];
        return Promise.resolve(
          detail === 'signatures'
            ? signaturesBlock({ path, editedAtMs: 0 }, head, encode)
            : fileBlock({ path, text, hash: text, editedAtMs: 0 }, encode(text), encode),
        );
      },
      encode,
      frame,
      ...changes,
    };
  }
  const pack = (changes: Partial<PackInput> = {}) => packPrompt(inputOf(changes));
  const entryOf = ({ inclusion }: PackedResult, path: string) =>
    inclusion.included.find((file) => file.path === path);
  const detailsOf = ({ base }: PackedResult) => new Map(base.files.map((file) => [file.path, file.detail]));
  const baseOf = ({ tokenIds, spans }: PackedResult) => {
    const end = spans.find(
      ({ label }) => !['template', 'instructions', 'tree', 'file'].includes(label.kind),
    )!;
    return tokenizer.decode(tokenIds.slice(0, end.startToken));
  };

  test('come whole before anything is ranked, in the place that their age gives them', async () => {
    const pinned = await pack({ pinnedPaths: ['f97.ts', 'f98.ts'] });
    assert.deepEqual(entryOf(pinned, 'f97.ts'), {
      path: 'f97.ts',
      tokens: encode(`<file path="f97.ts">\n${textOf('f97.ts')}</file>\n`).length,
      reason: 'pinned',
    });
    assert.deepEqual(pinned.inclusion.pinsWithoutRoom, []);
    const order = pinned.base.files.map(({ path }) => path);
    assert.deepEqual(order, [...order].sort(), 'they belong to the base');
  });

  test('the prefix depends on which they are: not on the question, not on when they were pinned', async () => {
    const one = await pack({ pinnedPaths: ['f90.ts', 'f91.ts'] });
    const other = await pack({
      pinnedPaths: ['f90.ts', 'f91.ts'],
      question: 'And what of something else, at some length?',
      rank: () => ranked(['f95.ts', 'f96.ts']),
      earlierBase: detailsOf(one),
    });
    assert.ok(baseOf(one).length > 0.7 * 8000);
    assert.equal(baseOf(other), baseOf(one));
  });

  test('to unpin changes nothing as long as there is room: what is computed stays', async () => {
    const before = await pack({ pinnedPaths: ['f90.ts'] });
    const after = await pack({ earlierBase: detailsOf(before) });
    assert.equal(baseOf(after), baseOf(before));
    assert.equal(entryOf(after, 'f90.ts')?.reason, 'base');
  });

  test('to pin one more leaves what stands before it as it is', async () => {
    const before = await pack();
    const after = await pack({ pinnedPaths: ['f99.ts'], earlierBase: detailsOf(before) });
    const at = baseOf(after).indexOf('<file path="f99.ts">');
    assert.ok(at > 0.5 * baseOf(before).length);
    assert.equal(baseOf(after).slice(0, at), baseOf(before).slice(0, at));
  });

  test('while the base without it is computed, a file that is pinned stands behind that', async () => {
    const usablePaths = ['a.ts', ...paths];
    const before = await pack({ usablePaths });
    const held = { held: [before.tokenIds], earlierBases: [before.usedBase], earlierBase: detailsOf(before) };
    const after = await pack({ ...held, usablePaths, pinnedPaths: ['a.ts'], question: 'and now?' });
    const computed = await pack({ usablePaths, pinnedPaths: ['a.ts'], earlierBase: detailsOf(before) });
    assert.equal(computed.base.files[0]?.path, 'a.ts', 'its place is the first, by its age');
    const base = baseOf(before);
    const text = tokenizer.decode(after.tokenIds);
    assert.equal(text.slice(0, base.length), base, 'nothing of it is computed again');
    assert.ok(text.lastIndexOf('<file path="a.ts">') >= base.length);
    assert.equal(entryOf(after, 'a.ts')?.reason, 'pinned');
  });

  test('one that does not fit is there by its signatures, and is named', async () => {
    const packed = await pack({ pinnedPaths: ['big.ts', 'f98.ts'] });
    assert.deepEqual(packed.inclusion.pinsWithoutRoom, ['big.ts']);
    assert.equal(entryOf(packed, 'big.ts')?.detail, 'signatures');
    assert.equal(entryOf(packed, 'big.ts')?.reason, 'pinned');
    assert.equal(entryOf(packed, 'f98.ts')?.detail, undefined, 'the next one still fits');
    assert.ok(packed.tokenIds.length <= 8000);
  });

  test('of too many, as many as fit; the question keeps its room', async () => {
    const loaded = new Set<string>();
    const { loadFile } = inputOf();
    const packed = await pack({
      pinnedPaths: paths.filter((path) => path !== 'big.ts'),
      loadFile: (path, detail) => {
        if (detail !== 'signatures') loaded.add(path);
        return loadFile(path, detail);
      },
    });
    assert.ok(loaded.size < 60, `${loaded.size} files are read for some 25 that fit`);
    const whole = packed.base.files.filter(({ detail }) => detail === 'full').length;
    const named = packed.inclusion.pinsWithoutRoom.length;
    assert.equal(whole + named, 100);
    assert.ok(named > 0);
    assert.ok(packed.base.tokens > 0.8 * 8000 && packed.tokenIds.length <= 8000);
  });

  test('a computed base that shows what is held back by now is not gone on from', async () => {
    const before = await pack();
    const input = inputOf();
    const secret = 'f01.ts';
    const held = { held: [before.tokenIds], earlierBases: [before.usedBase], question: 'and now?' };
    const loadFile: PackInput['loadFile'] = (path, detail) =>
      path === secret ? Promise.resolve({ path, reason: 'secret' }) : input.loadFile(path, detail);
    const secrets = new Map([[secret, [{ rule: 'aws', line: 3 }]]]);
    const after = await pack({ ...held, loadFile, secrets });
    assert.ok(!tokenizer.decode(after.tokenIds).includes(secret));
    assert.deepEqual(after.inclusion.excluded[0], {
      path: secret,
      reason: 'secret',
      secrets: [{ rule: 'aws', line: 3 }],
    });
    assert.equal(after.inclusion.included.length + after.inclusion.excluded.length, paths.length);
  });
});
