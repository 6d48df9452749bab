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
  percentText,
  stageRows,
  type TtftRecord,
} from '../../protocol';

/** What follows the answer: where it comes from, what was read, what it cost. */
export function epilogue({ citations, inclusion, record, stopReason }: AskResult): string {
  const cut = stopReason === 'maxTokens' ? ['(The answer was cut at its longest; see --max-tokens.)'] : [];
  return [
    ...cut,
    ...citationLines(citations),
    inclusionLine(inclusion),
    ...heldBackLines(inclusion),
    ...recordLines(record),
  ].join('\n');
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

/** Which files may hold a secret, where, and what lets them through; never more of what was found. */
function heldBackLines({ excluded }: InclusionReport): string[] {
  const heldBack = excluded.filter(({ reason }) => reason === 'secret');
  if (heldBack.length === 0) return [];
  return [
    'Held back, since they may hold a secret (send them with --allow-secrets):',
    ...heldBack.map(({ path, secrets = [] }) => {
      const places = secrets.map(({ rule, line }) => `${rule} in line ${line}`);
      return `  ${path}: ${places.join(', ')}`;
    }),
  ];
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

/** One prompt read in two ways. */
export interface BothResults {
  sample: AskResult;
  dense: AskResult;
}

/** Both measurements beside each other. */
export function comparisonTable({ sample, dense }: BothResults): string {
  const records = [sample.record, dense.record];
  const row = (name: string, figure: (record: TtftRecord) => string): string =>
    [name.padEnd(18), ...records.map((record) => figure(record).padStart(12))].join('');
  return [
    ['', 'sample', 'dense'].map((word, i) => (i === 0 ? word.padEnd(18) : word.padStart(12))).join(''),
    row('TTFT', ({ ttftMs }) => durationText(ttftMs)),
    row('prefill', ({ stagesMs }) => durationText(stagesMs.prefill)),
    row('prompt tokens', ({ promptTokens }) => countText(promptTokens)),
    row('cached', ({ cachedTokens }) => countText(cachedTokens)),
    row('keys read', ({ sparse }) => percentText(sparse?.density ?? 1)),
    sample.answer === dense.answer ? 'The answers are the same.' : 'The answers differ.',
    ...records.flatMap(({ notices }) => notices.map((notice) => `Note: ${notice}`)),
  ].join('\n');
}

/** The one object of `--compare --json`. */
export function jsonComparison({ sample, dense }: BothResults): string {
  return JSON.stringify({ sample: reportOf(sample), dense: reportOf(dense) });
}

/** The one object of `--json`. */
export function jsonReport(result: AskResult): string {
  return JSON.stringify(reportOf(result));
}

function reportOf({ answer, citations, inclusion, record, stopReason }: AskResult) {
  const { notices, ...figures } = record;
  return {
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
  };
}
