/** A problem as editors show it. Lines and columns count from 1. */
export interface Problem {
  path: string;
  line: number;
  column: number;
  severity: 'error' | 'warning' | 'info';
  message: string;
  /** Who found it, and its code: `ts 2304`. */
  source: string;
}

const WEIGHT: Record<Problem['severity'], number> = { error: 0, warning: 1, info: 2 };

/** One problem a line, errors first: `src/a.ts:3:5 error: Cannot find name 'x'. (ts 2304)`. */
export function problemsText(problems: readonly Problem[]): string {
  return [...problems]
    .sort(
      (a, b) =>
        WEIGHT[a.severity] - WEIGHT[b.severity] ||
        (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1),
    )
    .map(({ path, line, column, severity, message, source }) => {
      const from = source === '' ? '' : ` (${source})`;
      return `${path}:${line}:${column} ${severity}: ${message.replaceAll(/\s*\n\s*/g, ' ')}${from}\n`;
    })
    .join('');
}

/** `2 errors, 1 warning`. */
export function problemsSummary(problems: readonly Problem[]): string {
  const words = { error: 'error', warning: 'warning', info: 'note' } as const;
  return (Object.keys(words) as Problem['severity'][])
    .map((severity) => ({ severity, count: problems.filter((each) => each.severity === severity).length }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => `${count} ${words[severity]}${count === 1 ? '' : 's'}`)
    .join(', ');
}
