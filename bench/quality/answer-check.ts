const QUOTES = /^[\s`'"]+/;
const NAME_CHARACTER = /[\w$-]/;

export type Verdict = 'right' | 'wrong' | 'undecided';

/** Judges an answer as far as it is there: a wrong character ends it, so that few tokens decide. */
export function judge(answer: string, expected: string): Verdict {
  const text = answer.replace(QUOTES, '');
  if (expected.startsWith(text)) return 'undecided';
  if (!text.startsWith(expected)) return 'wrong';
  return NAME_CHARACTER.test(text.charAt(expected.length)) ? 'wrong' : 'right';
}

/** What an answer that has ended comes to. */
export function judgeEnded(answer: string, expected: string): Verdict {
  return answer.replace(QUOTES, '') === expected ? 'right' : 'wrong';
}
