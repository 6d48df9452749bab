import { createHash } from 'node:crypto';
import type { Quality } from '../../protocol';
import type { SparsePrefill, TileSelection } from '../backends/backend';

/** How the prompt of one generation is read. Decoding is always dense. */
export type AttentionPlan = { kind: 'dense' } | SamplePlan;

export interface SamplePlan {
  kind: 'sample';
  quality: Quality;
  /** Of the strategies only tiles: the others' lists depend on how a prompt is cut into chunks. */
  selection: TileSelection;
  /** Last tokens of the prompt, at least, that are read densely: the question, and what leads up to the answer. */
  denseTailTokens: number;
}

/**
 * Rows of a query tile. Blocks are chosen tile by tile, so that what a tile attends to is the same in every split
 * of a prompt into chunks that start at a multiple of this, and after every prefix hit rounded down to one.
 */
export const SELECTION_GRID_TOKENS = 128;

/** Names the KV that a plan makes: plans with one key make the same KV of the same tokens. */
export function attentionKey(plan: AttentionPlan): string {
  if (plan.kind === 'dense') return 'dense';
  const { strategy, ...parameters } = plan.selection;
  // By name, so that two ways to write one selection down are one key.
  const named = Object.entries(parameters)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${Array.isArray(value) ? digestOf(value) : String(value)}`);
  return ['sample', strategy, ...named].join('/');
}

/** A few characters for the many numbers of a list. */
function digestOf(list: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(list)).digest('hex').slice(0, 16);
}

/** What a prefill call is told of a plan. */
export function sparsePrefill(plan: AttentionPlan, promptTokens: number): SparsePrefill | undefined {
  if (plan.kind === 'dense') return undefined;
  return { selection: plan.selection, denseFromToken: sparseTokensOf(plan, promptTokens) };
}

/** How many leading tokens of a prompt run sparse under `plan`: whole query tiles. The rest runs dense. */
export function sparseTokensOf(plan: AttentionPlan, promptTokens: number): number {
  if (plan.kind === 'dense') return 0;
  return onGrid(Math.max(0, promptTokens - plan.denseTailTokens));
}

/** A kept prefix and the prompt that would reuse it; both were planned alike. */
export interface Reuse {
  /** Leading tokens that the two have in common. */
  sharedTokens: number;
  /** Leading tokens of the kept sequence that ran sparse. */
  keptSparseTokens: number;
  promptTokens: number;
}

/**
 * How many leading tokens of the prompt keep the KV that they have. Warm and cold make one structure: under `sample`
 * only what ran sparse then and would run sparse now, and neither a dense tail nor a decoded token. The last prompt
 * token always runs again, since its logits choose the first token of the answer.
 */
export function reusableTokens(plan: AttentionPlan, reuse: Reuse): number {
  const { sharedTokens, keptSparseTokens, promptTokens } = reuse;
  if (plan.kind === 'dense') return Math.min(sharedTokens, promptTokens - 1);
  return onGrid(Math.min(sharedTokens, keptSparseTokens, sparseTokensOf(plan, promptTokens)));
}

/**
 * The beginning of prompts that are longer by a question: what of it is worth computing before they come, and how, so
 * that they find it as they would make it themselves.
 */
export function beginningOf(
  plan: AttentionPlan,
  tokens: Int32Array,
): { attention: AttentionPlan; tokens: Int32Array } {
  if (plan.kind === 'dense') return { attention: plan, tokens };
  return { attention: { ...plan, denseTailTokens: 0 }, tokens: tokens.subarray(0, onGrid(tokens.length)) };
}

function onGrid(tokens: number): number {
  return tokens - (tokens % SELECTION_GRID_TOKENS);
}
