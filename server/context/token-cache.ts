import { LRUCache } from 'lru-cache';
import type { Tokenizer } from '../tokenizer/tokenizer';

const BYTES_PER_TOKEN = 4;

/** Token ids of file texts, by content hash and tokenizer, bounded by bytes. */
export class TokenCache {
  private readonly ids: LRUCache<string, Int32Array>;

  constructor(maxBytes: number) {
    this.ids = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: (ids) => ids.length * BYTES_PER_TOKEN + 1,
    });
  }

  get(key: string): Int32Array | undefined {
    return this.ids.get(key);
  }

  set(key: string, ids: Int32Array): void {
    this.ids.set(key, ids);
  }
}

/** Encodes for one prompt: content is never parsed for special tokens, and the time spent is measured. */
export class MeteredEncoder {
  /** Time spent in the tokenizer, in ms. */
  spentMs = 0;

  /** `identity` names the tokenizer and changes whenever its ids could. */
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly identity: string,
    private readonly cache: TokenCache,
  ) {}

  encode(text: string): Int32Array {
    const startedAt = performance.now();
    const ids = this.tokenizer.encode(text);
    this.spentMs += performance.now() - startedAt;
    return ids;
  }

  /** Ids of `text`, whose sha256 is `hash`, from the cache where they are known. */
  encodeContent(hash: string, text: string): Int32Array {
    const key = `${this.identity}:${hash}`;
    const cached = this.cache.get(key);
    if (cached) return cached;
    const ids = this.encode(text);
    this.cache.set(key, ids);
    return ids;
  }
}
