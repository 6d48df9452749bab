import {
  type AskResult,
  type Citation,
  cacheText,
  countText,
  durationText,
  engineText,
  filesText,
  type InclusionReport,
  leftOutText,
  stageRows,
  type TtftRecord,
} from '../../protocol';

/** What follows the answer: where it comes from, what was read, what it cost. */
export function epilogue({ citations, inclusion, record, stopReason }: AskResult): string {
  const cut = stopReason === 'maxTokens' ? ['(The answer was cut at its longest; see --max-tokens.)'] : [];
  return [...cut, ...citationLines(citations), inclusionLine(inclusion), ...recordLines(record)].join('\n');
}

function citationLines(citations: Citation[]): string[] {
  return citations.map(({ path, startLine, endLine, verified }) => {
    const lines = startLine === endLine ? String(startLine) : `${startLine}-${endLine}`;
    return `  ${path}:${lines}  ${verified ? 'verified' : 'not verified'}`;
  });
}

/** `38 of 412 files, 3,912 tokens; 374 left out: 370 no room, 4 binary`. */
export function inclusionLine(inclusion: InclusionReport): string {
  const read = `${filesText(inclusion)}, ${countText(inclusion.fileTokens)} tokens`;
  const leftOut = leftOutText(inclusion);
  return leftOut ? `${read}; ${leftOut}` : read;
}

function recordLines(record: TtftRecord): string[] {
  const { answerTokens, prefillTokensPerSecond, decodeTokensPerSecond } = record;
  const rows = stageRows(record).map(({ name, ms }) => `  ${name}: ${durationText(ms)}`);
  return [
    `TTFT ${durationText(record.ttftMs)}`,
    ...rows,
    `${cacheText(record)}; ${countText(answerTokens)} answer tokens`,
    `Prefill ${prefillTokensPerSecond.toFixed(1)} tokens/s, decode ${decodeTokensPerSecond.toFixed(1)} tokens/s`,
    `${record.model} on ${engineText(record)}, context ${countText(record.contextTokens)}`,
    ...record.notices.map((notice) => `Note: ${notice}`),
  ];
}

/** The one object of `--json`. */
export function jsonReport({ answer, citations, inclusion, record, stopReason }: AskResult): string {
  const { notices, ...figures } = record;
  return JSON.stringify({
    answer,
    citations,
    ...figures,
    stopReason,
    included: inclusion.included,
    excluded: inclusion.excluded,
    excludedByReason: inclusion.excludedByReason,
    totalFiles: inclusion.totalFiles,
    fileTokens: inclusion.fileTokens,
    notices,
  });
}
