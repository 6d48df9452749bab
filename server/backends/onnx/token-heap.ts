import type { TokenId } from '../../tokenizer/tokenizer';

/**
 * Token ids by weight, heaviest first and the smaller id first among equals. Making the heap is linear in
 * the vocabulary and each id taken costs its logarithm, so the few likeliest of 150,000 come cheaply.
 */
export class TokenHeap implements Iterable<TokenId> {
  private size: number;

  /** @param ids room for the heap, overwritten; the ids are 0 to its length */
  constructor(
    private readonly ids: Uint32Array,
    private readonly weights: Float64Array,
  ) {
    this.size = ids.length;
    for (let id = 0; id < this.size; id++) ids[id] = id;
    for (let node = (this.size >> 1) - 1; node >= 0; node--) this.sink(node);
  }

  /** Each step takes the heaviest id off the heap. */
  *[Symbol.iterator](): Generator<TokenId> {
    while (this.size > 0) yield this.take();
  }

  private take(): TokenId {
    const top = this.ids[0] ?? 0;
    this.size--;
    this.ids[0] = this.ids[this.size] ?? 0;
    this.sink(0);
    return top;
  }

  private sink(start: number): void {
    let node = start;
    for (;;) {
      let heaviest = node;
      const left = 2 * node + 1;
      if (left < this.size && this.comesFirst(left, heaviest)) heaviest = left;
      if (left + 1 < this.size && this.comesFirst(left + 1, heaviest)) heaviest = left + 1;
      if (heaviest === node) return;
      const moved = this.ids[node] ?? 0;
      this.ids[node] = this.ids[heaviest] ?? 0;
      this.ids[heaviest] = moved;
      node = heaviest;
    }
  }

  private comesFirst(node: number, other: number): boolean {
    const id = this.ids[node] ?? 0;
    const otherId = this.ids[other] ?? 0;
    const weight = this.weights[id] ?? 0;
    const otherWeight = this.weights[otherId] ?? 0;
    return weight > otherWeight || (weight === otherWeight && id < otherId);
  }
}
