/** What a suite came to. */
export interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
}

export function sum(outcomes: Outcome[]): Outcome;
export function failure(reason: string): Outcome;
export function outcomeOf(name: string, statsFile: string, exitCode: number | string | null): Outcome;
