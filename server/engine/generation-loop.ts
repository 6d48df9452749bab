import type { KernelsMs, StopReason } from '../../protocol';
import type { Backend, BlockCounts, StepResult } from '../backends/backend';
import { CancelledError, LongviewError } from '../errors';
import type { TokenId } from '../tokenizer/tokenizer';
import { type AttentionPlan, attentionKey, sparsePrefill } from './attention-plan';
import type { GenerationEvent, TokenText } from './generation';
import { interruptible } from './interruptible';
import { type PrefillPace, planPrefill } from './prefill-schedule';
import type { ComputeCost } from './prefix-cache/compute-cost';
import type { Sequence } from './sequence';
import { StopMatcher } from './stop-matcher';
import type { TtftClock } from './ttft-clock';

export interface LoopInput {
  backend: Backend;
  /** Holds the first tokens of `prompt`, and nothing else. */
  sequence: Sequence;
  prompt: Int32Array;
  attention: AttentionPlan;
  chunkTokens: number;
  text: TokenText;
  stop: readonly string[];
  maxAnswerTokens: number;
  pace: PrefillPace;
  cost: ComputeCost;
  clock: TtftClock;
  onEvent: (event: GenerationEvent) => void;
  signal: AbortSignal;
}

export interface LoopResult {
  answer: string;
  answerTokens: number;
  stopReason: StopReason;
  /** Under `sample`. */
  blocks?: BlockCounts;
  /** Of the prefill, where the device tells. */
  kernelsMs?: KernelsMs;
}

/**
 * One generation on a sequence: prefill in chunks, then decode token by token. The sequence's picture is
 * brought forward only after a call has succeeded, so that between calls it always matches the device.
 *
 * @throws CancelledError when `signal` is aborted before there is any text; later the text so far is the answer.
 */
export async function runGeneration(input: LoopInput): Promise<LoopResult> {
  const { first, ...told } = await prefill(input);
  input.clock.mark('prefilled');
  return { ...(await decode(input, first)), ...told };
}

async function prefill(
  input: LoopInput,
): Promise<{ first: TokenId } & Pick<LoopResult, 'blocks' | 'kernelsMs'>> {
  const { backend, sequence, prompt, pace, clock } = input;
  const cached = sequence.lengthTokens;
  const startedMs = clock.elapsedMs;
  /** @param begunTokens those of the chunk under way that are as good as done */
  const report = (begunTokens = 0): void => {
    const processed = sequence.lengthTokens + begunTokens;
    const ms = clock.elapsedMs - startedMs;
    const left = prompt.length - processed;
    // Without a pace there is nothing true to say about the time left; the first part of the first chunk gives one.
    const etaMs = pace.etaMs(left) ?? (processed > cached ? (left * ms) / (processed - cached) : undefined);
    if (etaMs === undefined) return;
    input.onEvent({ kind: 'prefill', total: prompt.length, cached, processed, ms, etaMs });
  };

  report();
  const sparse = sparsePrefill(input.attention, prompt.length);
  let last: StepResult | undefined;
  let blocks: BlockCounts | undefined;
  let kernelsMs: KernelsMs | undefined;
  for (const { start, end } of planPrefill(prompt.length, cached, input.chunkTokens)) {
    if (input.signal.aborted) throw new CancelledError();
    const tokens = prompt.slice(start, end);
    const chunkStartedMs = clock.elapsedMs;
    const sample = end === prompt.length;
    const chunk = { sequence: sequence.id, tokens, sample, ...(sparse && { sparse }) };
    const onShare = (share: number): void => report(Math.floor(share * tokens.length));
    last = await interruptible(backend, input.signal, () => backend.prefillChunk(chunk, onShare));
    blocks = sum(blocks, last.blocks);
    kernelsMs = withStep(kernelsMs, last);
    sequence.append(tokens);
    input.cost.observe(attentionKey(input.attention), start, tokens.length, last.deviceMs);
    pace.observe(tokens.length, clock.elapsedMs - chunkStartedMs);
    report();
  }
  if (input.signal.aborted) throw new CancelledError();
  return { first: sampled(last), ...(blocks && { blocks }), ...(kernelsMs && { kernelsMs }) };
}

function withStep(
  sumMs: KernelsMs | undefined,
  { deviceMs, attentionMs }: StepResult,
): KernelsMs | undefined {
  if (attentionMs === undefined) return sumMs;
  const { attention, other } = sumMs ?? { attention: 0, other: 0 };
  return { attention: attention + attentionMs, other: other + deviceMs - attentionMs };
}

function sum(a: BlockCounts | undefined, b: BlockCounts | undefined): BlockCounts | undefined {
  if (!a || !b) return a ?? b;
  return { kept: a.kept + b.kept, visible: a.visible + b.visible };
}

async function decode(input: LoopInput, first: TokenId): Promise<LoopResult> {
  const { backend, sequence, text, clock } = input;
  const answer = new AnswerText(input);
  let token = first;
  let answerTokens = 0;
  const finish = (stopReason: StopReason): LoopResult => {
    answer.end(stopReason);
    clock.mark('firstToken');
    clock.mark('finished');
    return { answer: answer.shown, answerTokens, stopReason };
  };

  for (;;) {
    if (text.endTokens.includes(token)) return finish('endOfTurn');
    answerTokens++;
    const stopped = answer.push(token);
    clock.mark('firstToken');
    if (stopped) return finish('stopSequence');
    if (answerTokens >= input.maxAnswerTokens) return finish('maxTokens');
    if (input.signal.aborted) {
      const result = finish('cancelled');
      if (result.answer === '') throw new CancelledError();
      return result;
    }
    const continues = answerTokens + 1 < input.maxAnswerTokens;
    const step = await backend.decodeStep({ sequence: sequence.id, token, continues });
    sequence.append([token]);
    token = sampled(step);
  }
}

/** The answer as far as it has been shown. */
class AnswerText {
  shown = '';
  private readonly decoder;
  private readonly stops: StopMatcher;
  private readonly onEvent: (event: GenerationEvent) => void;

  constructor({ text, stop, onEvent }: Pick<LoopInput, 'text' | 'stop' | 'onEvent'>) {
    this.decoder = text.streamDecoder();
    this.stops = new StopMatcher(stop);
    this.onEvent = onEvent;
  }

  /** Returns true when a stop sequence ends the answer. */
  push(token: TokenId): boolean {
    const { text, stopped } = this.stops.push(this.decoder.push(token));
    this.show(text);
    return stopped;
  }

  end(reason: StopReason): void {
    if (reason === 'stopSequence') return;
    this.show(this.stops.push(this.decoder.flush()).text + this.stops.flush());
  }

  private show(text: string): void {
    if (text === '') return;
    this.shown += text;
    this.onEvent({ kind: 'token', text });
  }
}

function sampled(step: StepResult | undefined): TokenId {
  if (step?.next === undefined)
    throw new LongviewError(
      'engineFailed',
      'The engine did not choose a token.',
      'Report this with the output of "Longview: Diagnose".',
    );
  return step.next;
}
