import assert from 'node:assert/strict';
import type { ContextFile } from '../../../../protocol';
import {
  accountRow,
  fileRow,
  folderRow,
  heldBackRow,
  partRows,
  pinsWithoutRoomRow,
  totalText,
} from '../../../../src/context-view/context-words';
import { ACCOUNT, file } from './samples';

suite('words of the Context view', () => {
  test('totals stand against the window of the model', () => {
    assert.equal(totalText(ACCOUNT), '31,200 of 32,768 tokens');
    assert.equal(accountRow({ ...ACCOUNT, of: 'asked' }).label, 'Last question');
  });

  test('parts, what is left and what is kept for the answer add up to the window', () => {
    const rows = partRows(ACCOUNT);
    const sum = rows.reduce((total, { description }) => total + Number(description.replace(',', '')), 0);
    assert.equal(sum, ACCOUNT.contextTokens);
    const excerpts = [{ source: 'git', label: 'staged changes', tokens: 512 } as const];
    const inclusion = { ...ACCOUNT.inclusion, excerpts, droppedTurns: 2, shortenedTurns: 1 };
    assert.deepEqual(
      partRows({ ...ACCOUNT, inclusion })
        .slice(-3)
        .map(({ label }) => label),
      ['git: staged changes, 512 tokens', '2 earlier turns left out', '1 earlier turn shortened'],
    );
  });

  const rows: [string, Partial<ContextFile>, string, string][] = [
    ['whole', {}, '1,203', 'src/a.ts, 1,203 tokens, part of every prompt'],
    [
      'signatures',
      { state: 'signatures' },
      '1,203, by signatures',
      'src/a.ts, 1,203 tokens, by signatures, part of every prompt',
    ],
    [
      'path',
      { state: 'path', reason: 'ranked', tokens: 9 },
      '9, path only',
      'src/a.ts, 9 tokens, path only, ranked for the question',
    ],
    [
      'pinned and too long',
      { state: 'signatures', reason: 'pinned' },
      '1,203, by signatures',
      'src/a.ts, 1,203 tokens, by signatures, pinned, does not fit whole',
    ],
    [
      'not chosen yet',
      { state: 'excluded', reason: 'noRoom', tokens: 0 },
      'comes if it ranks for the question',
      'src/a.ts, comes if it ranks for the question',
    ],
    ['binary', { state: 'excluded', reason: 'binary', tokens: 0 }, 'binary', 'src/a.ts, left out: binary'],
    [
      'by hand',
      { state: 'excluded', reason: 'excludedByHand', tokens: 0 },
      'by your choice',
      'src/a.ts, left out: by your choice',
    ],
    [
      'held back',
      { state: 'excluded', reason: 'secret', tokens: 0, secrets: [{ rule: 'aws', line: 3 }] },
      'aws in line 3',
      'src/a.ts, held back: may hold a secret. Not sent: aws in line 3',
    ],
    [
      'let through',
      {
        secrets: [
          { rule: 'aws', line: 3 },
          { rule: 'github', line: 9 },
        ],
      },
      '1,203',
      'src/a.ts, 1,203 tokens, part of every prompt. Sent with: aws in line 3, github in line 9',
    ],
  ];
  for (const [name, changes, description, spoken] of rows) {
    test(`a file, ${name}`, () => {
      const row = fileRow(file(changes), 'next', undefined);
      assert.equal(row.label, 'a.ts');
      assert.equal(row.description, description);
      assert.equal(row.spoken, spoken);
    });
  }

  test('after a question, a file without room had no room', () => {
    const left = file({ state: 'excluded', reason: 'noRoom', tokens: 0 });
    assert.equal(fileRow(left, 'asked', undefined).spoken, 'src/a.ts, left out: no room');
  });

  test('a folder says how its files are there, and what was decided about it', () => {
    const files = { whole: 3, signatures: 2, path: 0, excluded: 1 };
    const row = folderRow({ kind: 'folder', path: 'src/deep/', tokens: 900, files }, 'pinned');
    assert.equal(row.label, 'deep');
    assert.equal(row.description, '900, pinned');
    assert.equal(
      row.spoken,
      'Folder src/deep/, 900 tokens, 6 files: 3 whole, 2 by signatures, 1 left out, pinned',
    );
    assert.equal(row.icon, 'pinned');
  });

  test('what asks for a decision is counted and says what to do', () => {
    assert.match(heldBackRow(2).spoken, /^2 files held back\..*include the file anyway, or exclude it/);
    assert.match(pinsWithoutRoomRow(['a.ts', 'b.ts']).spoken, /^2 pinned files without room: a\.ts, b\.ts$/);
  });
});
