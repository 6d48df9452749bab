import {
  countText,
  type KernelsMs,
  type SparseFigures,
  type StagesMs,
  type TtftRecord,
} from '../../protocol';
import type { PackedPrompt } from '../context/context-service';
import type { GenerationResult } from '../engine/generation';
import type { TtftClock } from '../engine/ttft-clock';

/** What one answer cost, in the form that every client shows. */
export function ttftRecord(
  modelId: string,
  packed: PackedPrompt,
  result: GenerationResult,
  clock: TtftClock,
  cacheMiss: string | undefined,
): TtftRecord {
  const stagesMs = roundedStages(clock.stages(packed.tokenizeMs));
  return {
    ttftMs: tenths(clock.ttftMs),
    stagesMs,
    ...(result.kernelsMs && { prefillKernelsMs: roundedKernels(result.kernelsMs) }),
    promptTokens: result.promptTokens,
    cachedTokens: result.cache.cachedTokens,
    cacheSource: result.cache.source,
    ...(cacheMiss !== undefined && { cacheMiss }),
    answerTokens: result.answerTokens,
    decodeTokensPerSecond: tenths(perSecond(result.answerTokens - 1, clock.decodeMs)),
    prefillTokensPerSecond: tenths(
      perSecond(result.promptTokens - result.cache.cachedTokens, stagesMs.prefill),
    ),
    contextTokens: result.model.contextTokens,
    model: modelId,
    backend: result.model.backend,
    device: result.model.device,
    attention: result.attention.kind,
    ...sparseFigures(result),
    ...(result.model.prefillPrecision && { prefillPrecision: result.model.prefillPrecision }),
    notices: [
      ...result.model.notices,
      ...readAnew(result),
      ...historyNotice(packed),
      ...newerVersions(packed),
      ...pinsWithoutRoom(packed),
      ...brokenGrammars(packed),
    ],
  };
}

function sparseFigures({ attention, blocks }: GenerationResult): { sparse?: SparseFigures } {
  if (attention.kind === 'dense') return {};
  const { quality, selection } = attention;
  // A prompt within the dense tail has no chunk to count; every key was read.
  const density = blocks && blocks.visible > 0 ? blocks.kept / blocks.visible : 1;
  return {
    sparse: { strategy: selection.strategy, quality, density: Math.round(density * 1e4) / 1e4 },
  };
}

function readAnew({ cache: { tokensReadAnew: count } }: GenerationResult): string[] {
  if (count === 0) return [];
  return [`${countText(count)} tokens were read again: the prompt before used another attention.`];
}

function pinsWithoutRoom({ inclusion: { pinsWithoutRoom: paths } }: PackedPrompt): string[] {
  if (paths.length === 0) return [];
  const [first = ''] = paths;
  const others = paths.length > 1 ? ` and ${countText(paths.length - 1)} more` : '';
  return [`Pinned, and not there whole, since they do not fit: ${first}${others}.`];
}

function historyNotice({ inclusion: { droppedTurns, shortenedTurns } }: PackedPrompt): string[] {
  const messages = (count: number): string => `${count} earlier ${count === 1 ? 'message' : 'messages'}`;
  const lost = [
    ...(droppedTurns > 0 ? [`${messages(droppedTurns)} left out`] : []),
    ...(shortenedTurns > 0 ? [`${messages(shortenedTurns)} shortened`] : []),
  ];
  return lost.length > 0 ? [`${lost.join(' and ')}: no room in the context.`] : [];
}

function newerVersions({ inclusion: { newerVersions: paths } }: PackedPrompt): string[] {
  if (paths.length === 0) return [];
  const [first = '', ...others] = paths;
  const files = others.length === 0 ? first : `${first} and ${others.length} more`;
  return [
    `Edited since the repository was read, and added at its end: ${files}. It is read again when idle.`,
  ];
}

function brokenGrammars({ brokenGrammars: broken = [] }: PackedPrompt): string[] {
  const [first] = broken;
  if (!first) return [];
  const languages = broken.map(({ grammar }) => grammar).join(', ');
  return [
    `Signatures of ${languages} were found by expressions, which find fewer: the grammar cannot be loaded ` +
      `(${first.reason}). Reinstall Longview.`,
  ];
}

function perSecond(tokens: number, ms: number): number {
  return tokens > 0 && ms > 0 ? (tokens * 1000) / ms : 0;
}

function roundedKernels({ attention, other }: KernelsMs): KernelsMs {
  return { attention: tenths(attention), other: tenths(other) };
}

function roundedStages({ queue, load, context, tokenize, prefill, firstToken }: StagesMs): StagesMs {
  return {
    queue: tenths(queue),
    load: tenths(load),
    context: tenths(context),
    tokenize: tenths(tokenize),
    prefill: tenths(prefill),
    firstToken: tenths(firstToken),
  };
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
