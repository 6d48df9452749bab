import { LRUCache } from 'lru-cache';
import type {
  DeviceBackend,
  KvStoreLimits,
  RestoredKv,
  RestoreKvRequest,
  StoredKv,
  StoreKvRequest,
} from '../../backends/backend';
import { messageOf } from '../../errors';
import { BlockDisk } from './block-disk';
import type { ReadBlock } from './block-file';

/** Blocks that are read from disk while one goes to the device. */
const READ_AHEAD = 3;

/**
 * Keeps KV beside the device: in the memory of this process, and on disk, where it outlives it. A block is found by
 * the hash of everything that it depends on, so what is found is right, whoever wrote it.
 */
export class KvVault {
  private readonly memory: LRUCache<string, Uint8Array>;
  /** Blocks that are being read, the next ones to be asked for. */
  private readonly reading = new Map<string, Promise<ReadBlock | undefined>>();
  /** Why nothing is written to disk any more. */
  private diskFailure: string | undefined;

  constructor(
    folder: string,
    private readonly limits: KvStoreLimits,
    private readonly disk = new BlockDisk(folder, limits.diskBytes),
  ) {
    this.memory = new LRUCache({
      maxSize: Math.max(1, limits.memoryBytes),
      sizeCalculation: (kv) => Math.max(1, kv.byteLength),
    });
  }

  /** How many of these blocks are kept, from the first on. */
  async countLeading(blocks: readonly string[]): Promise<number> {
    const inMemory = blocks.findIndex((block) => !this.memory.has(block));
    if (inMemory < 0) return blocks.length;
    return inMemory + (await this.disk.countLeading(blocks.slice(inMemory)));
  }

  /** What was told of the cost of a block on disk. What is in memory was computed by those who ask. */
  computeMs(block: string): Promise<number | undefined> {
    return this.disk.computeMs(block);
  }

  /** Keeps a block that the device holds. A disk that is full or refuses is told, and left alone from then on. */
  async store(backend: DeviceBackend, request: StoreKvRequest): Promise<StoredKv> {
    const { block, sequence, startToken, tokens, computeMs } = request;
    const index = startToken / tokens;
    const kv = this.memory.get(block) ?? (await backend.exportKv({ sequence, startToken, tokens }));
    if (kv.byteLength <= this.limits.memoryBytes) this.memory.set(block, kv);
    if (this.limits.diskBytes < kv.byteLength) return {};
    if (this.diskFailure !== undefined) return { diskFailure: this.diskFailure };
    try {
      await this.disk.write(block, kv, index, computeMs);
      return {};
    } catch (error) {
      this.diskFailure = messageOf(error);
      return { diskFailure: this.diskFailure };
    }
  }

  /** Appends a block to a sequence; says why when it cannot. */
  async restore(backend: DeviceBackend, request: RestoreKvRequest): Promise<RestoredKv> {
    const { block, following, sequence, tokens, startToken } = request;
    const kept = this.memory.get(block);
    if (kept) {
      await backend.importKv({ sequence, tokens, kv: kept });
      return { source: 'memory' };
    }
    const reading = this.startReading(block);
    for (const next of following.slice(0, READ_AHEAD)) {
      if (!this.memory.has(next)) void this.startReading(next);
    }
    const read = await reading;
    this.reading.delete(block);
    if (!read) return { missing: 'absent' };
    if ('unusable' in read) return { missing: read.unusable };
    await backend.importKv({ sequence, tokens, kv: read.kv });
    await this.disk.touch(block, startToken / tokens);
    return { source: 'disk' };
  }

  /** Forgets everything; returns how many bytes were on disk. */
  async purge(): Promise<number> {
    this.memory.clear();
    this.reading.clear();
    return this.disk.purge();
  }

  private startReading(block: string): Promise<ReadBlock | undefined> {
    const known = this.reading.get(block);
    if (known) return known;
    // What cannot be read is computed: for whoever asks, it is not there.
    const reading = this.disk.read(block).catch(() => undefined);
    this.reading.set(block, reading);
    if (this.reading.size > 2 * (READ_AHEAD + 1)) {
      const [oldest] = this.reading.keys();
      if (oldest !== undefined) this.reading.delete(oldest);
    }
    return reading;
  }
}
