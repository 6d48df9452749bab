import type { TokenId } from './tokenizer';

/** A growing list of token ids. */
export class TokenBuffer {
  #ids: Int32Array;
  #length = 0;

  /** `expected`: room made at first, in tokens. */
  constructor(expected: number) {
    this.#ids = new Int32Array(Math.max(expected, 16));
  }

  push(id: TokenId): void {
    if (this.#length === this.#ids.length) this.#grow(1);
    this.#ids[this.#length++] = id;
  }

  /** Appends `source[start]` to `source[end - 1]`. */
  pushRange(source: Int32Array, start: number, end: number): void {
    if (this.#length + end - start > this.#ids.length) this.#grow(end - start);
    for (let index = start; index < end; index++) this.#ids[this.#length++] = source[index] as number;
  }

  get length(): number {
    return this.#length;
  }

  /** Copies the ids from index `from` on to `target[at]` onwards; returns the index behind the last one. */
  copyTo(target: Int32Array, at: number, from: number): number {
    const added = this.#ids.subarray(from, this.#length);
    target.set(added, at);
    return at + added.length;
  }

  toArray(): Int32Array {
    return this.#ids.slice(0, this.#length);
  }

  #grow(extra: number): void {
    const larger = new Int32Array(Math.max(this.#ids.length * 2, this.#length + extra));
    larger.set(this.#ids);
    this.#ids = larger;
  }
}
