import type { ModelSpec } from '../../models/model-spec';

/** Buffers grow by this many positions: a call costs time for the whole capacity, growing costs a copy. */
const GROWTH_TOKENS = 256;

/** The KV of one sequence: for each layer float32 `[kvHeads, capacity, headDim]`, keys and values apart. */
export class KvBuffers {
  private keys: Float32Array[];
  private values: Float32Array[];
  private capacity = 0;
  private used = 0;

  constructor(
    private readonly spec: ModelSpec,
    private readonly contextTokens: number,
  ) {
    this.keys = Array.from({ length: spec.layerCount }, () => new Float32Array(0));
    this.values = Array.from({ length: spec.layerCount }, () => new Float32Array(0));
  }

  /** Tokens that have KV. */
  get lengthTokens(): number {
    return this.used;
  }

  /** Positions that the buffers have room for. */
  get capacityTokens(): number {
    return this.capacity;
  }

  key(layer: number): Float32Array {
    return this.keys[layer] ?? new Float32Array(0);
  }

  value(layer: number): Float32Array {
    return this.values[layer] ?? new Float32Array(0);
  }

  /** Makes room for `tokens` positions in all. */
  reserve(tokens: number): void {
    if (tokens <= this.capacity) return;
    const rounded = Math.ceil(tokens / GROWTH_TOKENS) * GROWTH_TOKENS;
    const capacity = Math.max(tokens, Math.min(rounded, this.contextTokens));
    this.keys = this.keys.map((buffer) => this.moved(buffer, capacity));
    this.values = this.values.map((buffer) => this.moved(buffer, capacity));
    this.capacity = capacity;
  }

  /**
   * Writes the KV of `tokens` new positions behind the present end; `advance` makes it count.
   *
   * @param newKey and `newValue`: float32 `[kvHeads, tokens, headDim]`
   */
  write(layer: number, newKey: Float32Array, newValue: Float32Array, tokens: number): void {
    this.writeRows(this.key(layer), newKey, tokens);
    this.writeRows(this.value(layer), newValue, tokens);
  }

  advance(tokens: number): void {
    this.used += tokens;
  }

  /** Forgets positions from `lengthTokens` on; their memory is kept. */
  truncate(lengthTokens: number): void {
    this.used = lengthTokens;
  }

  /** A copy that holds the first `lengthTokens` positions. */
  fork(lengthTokens: number): KvBuffers {
    const copy = new KvBuffers(this.spec, this.contextTokens);
    copy.reserve(lengthTokens);
    for (let layer = 0; layer < this.spec.layerCount; layer++) {
      copy.writeRows(copy.key(layer), this.rows(this.key(layer), 0, lengthTokens), lengthTokens);
      copy.writeRows(copy.value(layer), this.rows(this.value(layer), 0, lengthTokens), lengthTokens);
    }
    copy.used = lengthTokens;
    return copy;
  }

  /** Positions as float32 `[2 * layers, kvHeads, tokens, headDim]`: keys, then values, layer by layer. */
  read(startToken: number, tokens: number): Float32Array {
    const { layerCount, kvHeadCount, headDim } = this.spec;
    const size = kvHeadCount * tokens * headDim;
    const all = new Float32Array(2 * layerCount * size);
    for (let layer = 0; layer < layerCount; layer++) {
      all.set(this.rows(this.key(layer), startToken, tokens), 2 * layer * size);
      all.set(this.rows(this.value(layer), startToken, tokens), (2 * layer + 1) * size);
    }
    return all;
  }

  /** Appends what `read` gave. */
  append(all: Float32Array, tokens: number): void {
    const size = this.spec.kvHeadCount * tokens * this.spec.headDim;
    this.reserve(this.used + tokens);
    for (let layer = 0; layer < this.spec.layerCount; layer++) {
      const from = 2 * layer * size;
      this.write(layer, all.subarray(from, from + size), all.subarray(from + size, from + 2 * size), tokens);
    }
    this.advance(tokens);
  }

  /** Bytes of `tokens` positions as `read` gives them. */
  bytesOf(tokens: number): number {
    const { layerCount, kvHeadCount, headDim } = this.spec;
    return 2 * layerCount * kvHeadCount * headDim * tokens * Float32Array.BYTES_PER_ELEMENT;
  }

  private rows(buffer: Float32Array, startToken: number, tokens: number): Float32Array {
    const { kvHeadCount, headDim } = this.spec;
    const rows = new Float32Array(kvHeadCount * tokens * headDim);
    for (let head = 0; head < kvHeadCount; head++) {
      const from = (head * this.capacity + startToken) * headDim;
      rows.set(buffer.subarray(from, from + tokens * headDim), head * tokens * headDim);
    }
    return rows;
  }

  private writeRows(buffer: Float32Array, rows: Float32Array, tokens: number): void {
    const { kvHeadCount, headDim } = this.spec;
    for (let head = 0; head < kvHeadCount; head++) {
      const from = head * tokens * headDim;
      const to = (head * this.capacity + this.used) * headDim;
      buffer.set(rows.subarray(from, from + tokens * headDim), to);
    }
  }

  private moved(buffer: Float32Array, capacity: number): Float32Array {
    const { kvHeadCount, headDim } = this.spec;
    const larger = new Float32Array(kvHeadCount * capacity * headDim);
    for (let head = 0; head < kvHeadCount; head++) {
      const from = head * this.capacity * headDim;
      larger.set(buffer.subarray(from, from + this.used * headDim), head * capacity * headDim);
    }
    return larger;
  }
}
