import { secondsText } from '../../protocol';
import type { CacheReport, MissReason } from '../engine/prefix-cache/cache-report';
import type { RestoreComparison } from '../engine/prefix-cache/restore-choice';
import { baseTokensOf, labelAt, type PartLabel, type PromptSpan } from '../prompt/parts';

const REASONS: Record<Exclude<MissReason, 'changed'>, string> = {
  loaded: 'nothing was kept yet: the first prompt since the model was loaded',
  evicted: 'what was kept of it had to make room for other prompts',
  attention: 'it was read with another attention before',
  damaged: 'the stored copy was damaged',
};

/**
 * Why a part of the repository had to be read again, in words; undefined when only what belongs to the question was.
 *
 * @param before the parts of the prompt that it was compared with
 */
export function cacheMissText(
  { cachedTokens, reason, slower }: CacheReport,
  spans: readonly PromptSpan[],
  before: readonly PromptSpan[] | undefined,
  nowMs: number,
): string | undefined {
  if (cachedTokens >= baseTokensOf(spans)) return undefined;
  if (slower) return slowerText(slower);
  if (reason !== 'changed') return REASONS[reason];
  return `first changed block: ${firstChange(cachedTokens, spans, before ?? [], nowMs)}`;
}

function slowerText({ computeMs, restoreMs }: RestoreComparison): string {
  const times = `about ${secondsText(computeMs)} instead of ${secondsText(restoreMs)}`;
  return `computing it is faster here than bringing back what is kept of it: ${times}`;
}

/** Both prompts are the same up to `token`. A file that was edited stands further back now, or differs in its middle. */
function firstChange(
  token: number,
  spans: readonly PromptSpan[],
  before: readonly PromptSpan[],
  nowMs: number,
): string {
  const was = labelAt(before, token);
  const is = labelAt(spans, token);
  if (was?.kind === 'file') {
    const now = spans.map(({ label }) => label).find((label) => isFile(label) && label.path === was.path);
    if (!now || !isFile(now)) return `${was.path}, no longer there`;
    if (now.editedAtMs > was.editedAtMs) return `${was.path}, edited ${agoText(nowMs - now.editedAtMs)}`;
  }
  if (is?.kind === 'file') return `${is.path}, not there before`;
  return 'the tree of folders';
}

function isFile(label: PartLabel): label is Extract<PartLabel, { editedAtMs: number }> {
  return 'editedAtMs' in label;
}

/** `3 s ago`, `5 min ago`, `2 h ago`, `4 days ago`; a time that is still to come is now. */
export function agoText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} days ago`;
}
