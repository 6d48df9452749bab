import type { SequenceId } from '../backends/backend';
import type { TokenId } from '../tokenizer/tokenizer';

/** The engine's picture of a sequence on the device: exactly the tokens whose KV it holds, in order. */
export class Sequence {
  private readonly buffer: Int32Array;
  private count = 0;

  /** @param capacityTokens longest sequence that the device can hold. */
  constructor(
    readonly id: SequenceId,
    capacityTokens: number,
  ) {
    this.buffer = new Int32Array(capacityTokens);
  }

  get lengthTokens(): number {
    return this.count;
  }

  /** A view: it changes when the sequence does. */
  get tokens(): Int32Array {
    return this.buffer.subarray(0, this.count);
  }

  append(tokens: ArrayLike<TokenId>): void {
    this.buffer.set(tokens, this.count);
    this.count += tokens.length;
  }

  /** Forgets everything past the first `lengthTokens` tokens. */
  rewind(lengthTokens: number): void {
    if (lengthTokens > this.count)
      throw new RangeError(`cannot rewind ${this.count} tokens to ${lengthTokens}`);
    this.count = lengthTokens;
  }

  /** How many leading tokens `prompt` shares with what is held here. */
  sharedWith(prompt: Int32Array): number {
    const limit = Math.min(this.count, prompt.length);
    let length = 0;
    while (length < limit && this.buffer[length] === prompt[length]) length++;
    return length;
  }
}
