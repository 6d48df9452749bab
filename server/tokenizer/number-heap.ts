/** A binary min-heap of numbers with a fixed capacity. */
export class NumberHeap {
  readonly #values: Float64Array;
  #size = 0;

  constructor(capacity: number) {
    this.#values = new Float64Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  push(value: number): void {
    const values = this.#values;
    let hole = this.#size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      const above = values[parent] as number;
      if (above <= value) break;
      values[hole] = above;
      hole = parent;
    }
    values[hole] = value;
  }

  /** Takes out the smallest value; the heap must not be empty. */
  pop(): number {
    const values = this.#values;
    const smallest = values[0] as number;
    const size = --this.#size;
    const moved = values[size] as number;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && (values[child + 1] as number) < (values[child] as number)) child++;
      const below = values[child] as number;
      if (moved <= below) break;
      values[hole] = below;
      hole = child;
    }
    values[hole] = moved;
    return smallest;
  }

  clear(): void {
    this.#size = 0;
  }
}
