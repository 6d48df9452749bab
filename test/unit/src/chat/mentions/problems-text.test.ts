import assert from 'node:assert/strict';
import { type Problem, problemsSummary, problemsText } from '../../../../../src/chat/mentions/problems-text';

const problem = (changes: Partial<Problem>): Problem => ({
  path: 'a.ts',
  line: 3,
  column: 5,
  severity: 'warning',
  message: 'Unused.',
  source: 'eslint',
  ...changes,
});

suite('problems as text', () => {
  test('one a line, errors first, then by file and line', () => {
    const problems = [
      problem({ path: 'b.ts' }),
      problem({ line: 9 }),
      problem({ severity: 'error', message: 'Type A\n  is not B.', source: 'ts 2322', path: 'z.ts' }),
      problem({ line: 1, source: '', severity: 'info' }),
      problem({}),
    ];
    assert.equal(
      problemsText(problems),
      'z.ts:3:5 error: Type A is not B. (ts 2322)\n' +
        'a.ts:3:5 warning: Unused. (eslint)\na.ts:9:5 warning: Unused. (eslint)\n' +
        'b.ts:3:5 warning: Unused. (eslint)\na.ts:1:5 info: Unused.\n',
    );
    assert.equal(problemsSummary(problems), '1 error, 3 warnings, 1 note');
    assert.equal(problemsSummary([]), '');
  });
});
