import type { ContextAccount, ContextFile } from '../../../../protocol';

export const ACCOUNT: ContextAccount = {
  id: 7,
  of: 'next',
  contextTokens: 32_768,
  budgetTokens: 32_256,
  promptTokens: 31_200,
  parts: [
    { part: 'instructions', tokens: 40 },
    { part: 'files', tokens: 31_100 },
    { part: 'question', tokens: 60 },
  ],
  inclusion: {
    totalFiles: 40,
    excludedByReason: { secret: 1, noRoom: 2 },
    fileTokens: 31_100,
    budgetTokens: 32_256,
    promptTokens: 31_200,
    newerVersions: [],
    excerpts: [],
    pinsWithoutRoom: [],
    historyTokens: 0,
    droppedTurns: 0,
    shortenedTurns: 0,
  },
  files: { whole: 30, signatures: 5, path: 2, excluded: 3 },
  heldBack: [{ path: 'a.env', secrets: [{ rule: 'aws', line: 3 }] }],
};

export const file = (changes: Partial<ContextFile> = {}): ContextFile => ({
  kind: 'file',
  path: 'src/a.ts',
  tokens: 1203,
  state: 'whole',
  reason: 'base',
  ...changes,
});
