import type { StagesMs } from '../../protocol';

/** Moments of one question, in the order in which they can happen first. */
export type Moment = 'prompt' | 'turn' | 'model' | 'prefilled' | 'firstToken' | 'finished';

/**
 * Times one question from its arrival to its last token. Packing, waiting and loading overlap; each moment is
 * charged only with what it adds after the moments before it, so that the stages sum up to the TTFT exactly.
 */
export class TtftClock {
  private readonly arrivedAt: number;
  private readonly moments = new Map<Moment, number>();

  /** @param now milliseconds of a steady clock. */
  constructor(private readonly now: () => number) {
    this.arrivedAt = now();
  }

  /** Only the first call for a moment counts. */
  mark(moment: Moment): void {
    if (!this.moments.has(moment)) this.moments.set(moment, this.now());
  }

  /** Time since the question arrived, in ms. */
  get elapsedMs(): number {
    return this.now() - this.arrivedAt;
  }

  /** From arrival to the first token, in ms. */
  get ttftMs(): number {
    return this.at('firstToken') - this.arrivedAt;
  }

  /** From the first token to the last, in ms. */
  get decodeMs(): number {
    return this.at('finished') - this.at('firstToken');
  }

  stages(tokenizeMs: number): StagesMs {
    const prompt = this.at('prompt');
    const turn = Math.max(this.at('turn'), prompt);
    const model = Math.max(this.at('model'), turn);
    return {
      context: prompt - this.arrivedAt,
      tokenize: tokenizeMs,
      queue: turn - prompt,
      load: model - turn,
      prefill: this.at('prefilled') - model,
      firstToken: this.at('firstToken') - this.at('prefilled'),
    };
  }

  private at(moment: Moment): number {
    const time = this.moments.get(moment);
    if (time === undefined) throw new Error(`the clock was read before "${moment}"`);
    return time;
  }
}
