import type { Backend, BlockSelection, LoadedModel, SequenceId } from '../../server/backends/backend';
import type { CudaEngine } from '../../server/backends/cuda/addon';
import { SELECTION_GRID_TOKENS } from '../../server/engine/attention-plan';
import { planPrefill } from '../../server/engine/prefill-schedule';
import type { Tokenizer } from '../../server/tokenizer/tokenizer';
import { type DensePosition, densePosition } from './agreement';
import { judge, judgeEnded } from './answer-check';
import { FORCED_TOKENS, QUESTION_TOKENS } from './cell';
import { prefillOf } from './configurations';

/** What reading a prefix cost. */
export interface Reading {
  deviceMs: number;
  /** Of that: choosing key blocks, and attention; 0 where the device does not tell. */
  attentionMs: number;
  /** Of that: choosing key blocks. */
  selectionMs: number;
  /** With a selection: share of the visible key blocks that was read, of each layer and head, layer by layer. */
  densities: number[] | undefined;
}

/** An expected answer and, for each of its tokens, the distribution that it would have been drawn from. */
export interface ForcedAnswer {
  tokens: Int32Array;
  positions: DensePosition[];
}

const GREEDY = { temperature: 0, topP: 1, topK: 0, stop: [] };
const LONGEST_ANSWER_TOKENS = 32;

/** One prefix on the device, read once; questions start behind it, one after the other. */
export class PrefixReader {
  private sequence: SequenceId | undefined;
  private prefixTokens = 0;

  constructor(
    private readonly backend: Backend,
    /** The engine behind the backend, for its logits. */
    private readonly engine: CudaEngine,
    private readonly model: LoadedModel,
    private readonly tokenizer: Tokenizer,
  ) {}

  /** Reads `prefix` as the engine reads a prompt that goes on with a question. */
  async read(prefix: Int32Array, selection: BlockSelection | undefined): Promise<Reading> {
    await this.close();
    this.sequence = await this.backend.openSequence(this.start());
    const sparse = prefillOf(selection, prefix.length + QUESTION_TOKENS / 4);
    let deviceMs = 0;
    let attentionMs = 0;
    let selectionMs = 0;
    let kept: number[] = [];
    let visible = 0;
    for (const { start, end } of planPrefill(prefix.length, 0, this.model.prefillChunkTokens)) {
      const tokens = prefix.slice(start, end);
      const step = await this.backend.prefillChunk({
        sequence: this.sequence,
        tokens,
        sample: false,
        ...(sparse && { sparse }),
      });
      deviceMs += step.deviceMs;
      attentionMs += step.attentionMs ?? 0;
      selectionMs += step.selectionMs ?? 0;
      if (!step.blocks) continue;
      const sums = keptByHead(await this.engine.blockCounts(), tokens.length);
      kept = sums.map((sum, i) => sum + (kept[i] ?? 0));
      visible += step.blocks.visible / sums.length;
    }
    this.prefixTokens = prefix.length;
    const densities = sparse && kept.map((count) => count / visible);
    return { deviceMs, attentionMs, selectionMs, densities };
  }

  /** Asks behind the prefix, the question read densely, and stops as soon as the answer is decided. */
  async isAnswered(rest: Int32Array, expected: string): Promise<boolean> {
    const decoder = this.tokenizer.streamDecoder();
    let answer = '';
    let token = await this.ask(rest);
    for (let i = 0; i < LONGEST_ANSWER_TOKENS; i++) {
      if (this.tokenizer.endTokens.includes(token)) break;
      answer += decoder.push(token);
      const verdict = judge(answer, expected);
      if (verdict !== 'undecided') return verdict === 'right';
      token = await this.next(token);
    }
    return judgeEnded(answer, expected) === 'right';
  }

  /** The distributions from which the expected answer's tokens come, when they are forced behind `rest`. */
  async forced(rest: Int32Array, expected: string): Promise<ForcedAnswer> {
    const tokens = this.tokenizer.encode(expected);
    const positions: DensePosition[] = [];
    await this.ask(rest);
    for (const [i, token] of tokens.entries()) {
      if (i > 0) await this.next(tokens[i - 1] ?? token);
      positions.push(densePosition(await this.engine.logits(), this.tokenizer.firstUnusedToken));
    }
    return { tokens, positions };
  }

  /** The first tokens of a greedy answer. */
  async answer(rest: Int32Array, tokens: number): Promise<number[]> {
    const answer: number[] = [];
    let token = await this.ask(rest);
    while (answer.length < tokens && !this.tokenizer.endTokens.includes(token)) {
      answer.push(token);
      token = await this.next(token);
    }
    return answer;
  }

  /**
   * Forces `tokens` behind the prefix, one by one, and hands on the logits after each; what `take` does with them runs
   * beside the device.
   */
  async force(tokens: Int32Array, take: (position: number, logits: Float32Array) => void): Promise<void> {
    await this.rewind();
    const [first = 0, ...others] = tokens.slice(0, FORCED_TOKENS);
    await this.prefillTail(Int32Array.of(first));
    let logits = await this.engine.logits();
    for (const [position, token] of others.entries()) {
      const step = this.next(token);
      take(position, logits);
      await step;
      logits = await this.engine.logits();
    }
    take(others.length, logits);
  }

  async close(): Promise<void> {
    if (this.sequence !== undefined) await this.backend.closeSequence(this.sequence);
    this.sequence = undefined;
  }

  private async ask(rest: Int32Array): Promise<number> {
    await this.rewind();
    return this.prefillTail(rest);
  }

  private async prefillTail(tokens: Int32Array): Promise<number> {
    const step = await this.backend.prefillChunk({ sequence: this.opened(), tokens, sample: true });
    return step.next ?? -1;
  }

  private async next(token: number): Promise<number> {
    return (await this.backend.decodeStep({ sequence: this.opened(), token })).next ?? -1;
  }

  private async rewind(): Promise<void> {
    const sequence = this.opened();
    await this.backend.rewindSequence({ ...this.start(), sequence, lengthTokens: this.prefixTokens });
  }

  private opened(): SequenceId {
    if (this.sequence === undefined) throw new Error('no prefix was read');
    return this.sequence;
  }

  private start() {
    return { sampling: GREEDY, firstUnusedToken: this.tokenizer.firstUnusedToken };
  }
}

/** The lists' lengths of a chunk, [layers, heads, query tiles], summed over the tiles. */
function keptByHead(counts: Int32Array, chunkTokens: number): number[] {
  const tiles = Math.ceil(chunkTokens / SELECTION_GRID_TOKENS);
  return Array.from({ length: counts.length / tiles }, (_, list) =>
    counts.subarray(list * tiles, (list + 1) * tiles).reduce((sum, count) => sum + count, 0),
  );
}
