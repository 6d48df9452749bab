import { isUtf8 } from 'node:buffer';
import { modelCorrupt } from '../model-errors';

/** The window that was read does not hold the whole header yet; the file does. Never leaves `gguf/`. */
export class WindowTooSmall extends Error {
  constructor(readonly neededBytes: number) {
    super(`the header needs at least ${neededBytes} bytes`);
    this.name = 'WindowTooSmall';
  }
}

/**
 * Reads little-endian values from the front of a file. Every read is checked against the size of the file
 * first, so a length that lies is refused before anything is allocated for it.
 *
 * Every read throws LongviewError `modelCorrupt` past the end of the file, and `WindowTooSmall` past the end
 * of the window when the file goes on.
 */
export class ByteCursor {
  private position = 0;
  private largestAllocation = 0;
  private readonly bytes: Buffer;
  private readonly view: DataView;

  /**
   * @param window the first bytes of the file
   * @param fileSizeBytes size of the whole file, at least that of the window
   * @param path names the file in errors
   */
  constructor(
    window: Uint8Array,
    private readonly fileSizeBytes: number,
    readonly path: string,
  ) {
    this.bytes = Buffer.from(window.buffer, window.byteOffset, window.byteLength);
    this.view = new DataView(window.buffer, window.byteOffset, window.byteLength);
  }

  get offsetBytes(): number {
    return this.position;
  }

  get remainingBytes(): number {
    return this.fileSizeBytes - this.position;
  }

  /** The most that one value has asked for so far; never above the size of the file. */
  get largestAllocationBytes(): number {
    return this.largestAllocation;
  }

  u8(): number {
    return this.bytes[this.take(1)] ?? 0;
  }

  i8(): number {
    return this.view.getInt8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  i16(): number {
    return this.view.getInt16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  i32(): number {
    return this.view.getInt32(this.take(4), true);
  }

  f32(): number {
    return this.view.getFloat32(this.take(4), true);
  }

  f64(): number {
    return this.view.getFloat64(this.take(8), true);
  }

  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  i64(): bigint {
    return this.view.getBigInt64(this.take(8), true);
  }

  /** A 64-bit length, offset or size. One above 2^53 cannot be true of any file. */
  size(what: string): number {
    const at = this.take(8);
    const high = this.view.getUint32(at + 4, true);
    if (high >= 0x20_0000) throw this.corrupt(`${what} at byte ${at} is beyond any file`);
    return high * 0x1_0000_0000 + this.view.getUint32(at, true);
  }

  /** How many items follow, when each takes at least `itemBytes` in the file. */
  count(what: string, itemBytes: number): number {
    const at = this.position;
    const count = this.size(what);
    this.checkCount(what, count, itemBytes, at);
    return count;
  }

  string(): string {
    const start = this.position;
    const length = this.size('a string length');
    if (length > this.remainingBytes) {
      throw this.corrupt(`a string of ${length} bytes at byte ${start} runs past its end`);
    }
    const from = this.take(length);
    this.reserve(length);
    const text = this.bytes.toString('utf8', from, from + length);
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(from, from + length))) {
      throw this.corrupt(`the string at byte ${start} is not UTF-8`);
    }
    return text;
  }

  /** A copy of the next `count` items of `itemBytes` each, so that the window can be let go. */
  copy(what: string, count: number, itemBytes: number): ArrayBuffer {
    this.checkCount(what, count, itemBytes, this.position);
    const from = this.take(count * itemBytes);
    this.reserve(count * itemBytes);
    const copy = new Uint8Array(count * itemBytes);
    copy.set(this.bytes.subarray(from, from + copy.length));
    return copy.buffer;
  }

  /** To be called before anything whose size comes from the file is allocated. */
  reserve(bytes: number): void {
    if (bytes > this.fileSizeBytes) {
      throw this.corrupt(
        `a value at byte ${this.position} would need ${bytes} bytes, more than the file has`,
      );
    }
    if (bytes > this.largestAllocation) this.largestAllocation = bytes;
  }

  corrupt(what: string): Error {
    return modelCorrupt(this.path, what);
  }

  private checkCount(what: string, count: number, itemBytes: number, at: number): void {
    if (count > this.remainingBytes / itemBytes) {
      throw this.corrupt(`${what} at byte ${at} says ${count}, more than the rest of the file can hold`);
    }
  }

  /** Moves past `length` bytes and returns where they start. */
  private take(length: number): number {
    const start = this.position;
    const end = start + length;
    if (end > this.bytes.length) {
      if (end > this.fileSizeBytes)
        throw this.corrupt(`it ends within the header, at byte ${this.fileSizeBytes}`);
      throw new WindowTooSmall(end);
    }
    this.position = end;
    return start;
  }
}
