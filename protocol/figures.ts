import type { ExclusionReason, IncludedFile, InclusionReport } from './ask';
import type { TtftRecord } from './metrics';

// How figures are written, so that the view, the status bar and the command line say them alike.

/** A count with thousands separators: `3,912`. */
export function countText(count: number): string {
  // Not `Intl`: it loads tables for tens of milliseconds, at the start of the extension.
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A count with its noun: `1 file`, `3,912 files`. */
export function countedText(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A count in at most four characters: `950`, `3.9k`, `118k`, `1.2M`. */
export function shortCountText(count: number): string {
  if (count < 999.5) return String(Math.round(count));
  // Below the point where a rounded figure would need one more digit.
  if (count < 9_950) return `${(count / 1e3).toFixed(1)}k`;
  if (count < 999_500) return `${Math.round(count / 1e3)}k`;
  return count < 9_950_000 ? `${(count / 1e6).toFixed(1)}M` : `${Math.round(count / 1e6)}M`;
}

/** A duration: `85ms`, `1.8s`, `42s`, `2m 05s`. Progress counts in seconds from the start: see `secondsText`. */
export function durationText(ms: number): string {
  return ms < 99.5 ? `${Math.round(ms)}ms` : secondsText(ms);
}

/** A duration of at least tenths of seconds: `0.1s`, `1.8s`, `42s`, `2m 05s`. */
export function secondsText(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`;
}

/** A share in whole per cent, rounded down, so that 100% means done. */
export function percentText(fraction: number): string {
  return `${Math.floor(Math.min(Math.max(fraction, 0), 1) * 100)}%`;
}

/** Bytes: `398 MB`, `1.1 GB`. */
export function bytesText(bytes: number): string {
  return bytes >= 999.5e6 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

/** The stages that make up the time to first token, in order, with a name for people. */
export function stageRows({
  stagesMs,
  promptTokens,
  cachedTokens,
  prefillKernelsMs: kernels,
}: TtftRecord): { name: string; ms: number }[] {
  const computed = countText(promptTokens - cachedTokens);
  const share = kernels ? ` (attention ${durationText(kernels.attention)})` : '';
  return [
    { name: 'Waiting for other questions', ms: stagesMs.queue },
    { name: 'Loading the model', ms: stagesMs.load },
    { name: `Choosing files (tokenizer ${durationText(stagesMs.tokenize)})`, ms: stagesMs.context },
    { name: `Prefill of ${computed} tokens${share}`, ms: stagesMs.prefill },
    { name: 'First token', ms: stagesMs.firstToken },
  ];
}

/** `38 of 412 files`; `12 of 412 files whole, 26 by signatures, 9 by path` where some are not there as a whole. */
export function filesText({ included, totalFiles }: InclusionReport): string {
  const count = (wanted: IncludedFile['detail']): number =>
    included.filter(({ detail }) => detail === wanted).length;
  const [whole, signatures, paths] = [count(undefined), count('signatures'), count('path')];
  const files = `${countText(whole)} of ${countedText(totalFiles, 'file')}`;
  if (signatures + paths === 0) return files;
  return [
    `${files} whole`,
    ...(signatures > 0 ? [`${countText(signatures)} by signatures`] : []),
    ...(paths > 0 ? [`${countText(paths)} by path`] : []),
  ].join(', ');
}

/** `3,200 of 3,912 prompt tokens reused; read again from src/a.ts on, edited 3 s ago`. */
export function cacheText({ promptTokens, cachedTokens, cacheSource, cacheMiss }: TtftRecord): string {
  const source = { device: '', none: '', memory: ' from memory', disk: ' from disk' }[cacheSource];
  const reused = `${countText(cachedTokens)} of ${countedText(promptTokens, 'prompt token')} reused${source}`;
  return cacheMiss === undefined ? reused : `${reused}; ${cacheMiss}`;
}

/**
 * `CPU (2 threads), onnx, dense attention`; `NVIDIA H200, cuda, sample attention (balanced, 6.9% of the keys)`;
 * `NVIDIA H200, cuda, dense attention, fp8`.
 */
export function engineText({ device, backend, attention, sparse, prefillPrecision }: TtftRecord): string {
  const how = sparse ? ` (${sparse.quality}, ${(sparse.density * 100).toFixed(1)}% of the keys)` : '';
  // What is as usual is not said.
  const precision = prefillPrecision === 'fp8' ? ', fp8' : '';
  return `${device}, ${backend}, ${attention} attention${how}${precision}`;
}

const EXCLUSION_WORDS: Record<ExclusionReason, string> = {
  secret: 'may hold a secret',
  excludedByHand: 'by your choice',
  noRoom: 'no room',
  binary: 'binary',
  lockFile: 'lock files',
  generated: 'generated',
  minified: 'minified',
  tooLarge: 'too large',
  notUtf8: 'not UTF-8',
  unreadable: 'unreadable',
  empty: 'empty',
};

export function exclusionText(reason: ExclusionReason): string {
  return EXCLUSION_WORDS[reason];
}

/** `374 left out: 300 no room, 74 binary`, `24 left out: no room`; empty when every file is included. */
export function leftOutText({ excludedByReason }: InclusionReport): string {
  const counts = Object.entries(excludedByReason) as [ExclusionReason, number][];
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return '';
  const parts = counts
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => (count === total ? '' : `${countText(count)} `) + exclusionText(reason));
  return `${countText(total)} left out: ${parts.join(', ')}`;
}
