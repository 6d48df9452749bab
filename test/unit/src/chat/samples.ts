import type { AskResult, ChatExchange, InclusionReport, ModelInfo, TtftRecord } from '../../../../protocol';

export const RECORD: TtftRecord = {
  ttftMs: 1812,
  stagesMs: { queue: 0, load: 12, context: 310, tokenize: 120, prefill: 1400, firstToken: 90 },
  promptTokens: 3912,
  cachedTokens: 512,
  cacheSource: 'device',
  answerTokens: 210,
  decodeTokensPerSecond: 38.2,
  prefillTokensPerSecond: 2428,
  contextTokens: 4096,
  model: 'qwen2.5-coder-0.5b-instruct-q4_k_m',
  backend: 'onnx',
  device: 'CPU (2 threads)',
  attention: 'dense',
  notices: [],
};

export const INCLUSION: InclusionReport = {
  totalFiles: 412,
  included: Array.from({ length: 38 }, (_, i) => ({
    path: `src/${i}.ts`,
    tokens: 90,
    reason: 'ranked' as const,
  })),
  excerpts: [],
  excluded: Array.from({ length: 374 }, (_, i) => ({ path: `docs/${i}.md`, reason: 'noRoom' as const })),
  excludedByReason: { noRoom: 374 },
  fileTokens: 3420,
  budgetTokens: 4000,
  promptTokens: 3912,
  newerVersions: [],
  pinsWithoutRoom: [],
  historyTokens: 0,
  droppedTurns: 0,
  shortenedTurns: 0,
};

export const RESULT: AskResult = {
  answer: 'In `src/1.ts:3`.',
  citations: [{ path: 'src/1.ts', startLine: 3, endLine: 3, verified: true, origin: 'written', claim: '' }],
  symbols: [],
  inclusion: INCLUSION,
  stopReason: 'endOfTurn',
  record: RECORD,
};

export const MODEL: ModelInfo = {
  id: 'small',
  name: 'Small 0.1B',
  licence: 'Apache-2.0',
  bytes: 397_807_936,
  trainedContextTokens: 32_768,
  longestContextTokens: 32_768,
  cpuContextTokens: 4096,
  state: 'missing',
  isDefault: true,
  sources: [
    { kind: 'hub', name: 'makers/small', thirdParty: false },
    { kind: 'pip', name: 'small-part-1', thirdParty: true },
    { kind: 'pip', name: 'small-part-2', thirdParty: true },
  ],
};

export function exchange(fields: Partial<ChatExchange> = {}): ChatExchange {
  return {
    id: 'a',
    question: 'Why?',
    attachments: [],
    answer: '',
    phase: 'running',
    citations: [],
    ...fields,
  };
}

/** A failure as the client raises it. */
export function serverError(code: string, details?: Record<string, string | number | string[]>): Error {
  return Object.assign(new Error(`message of ${code}`), { data: { code, action: `Mend ${code}.`, details } });
}
