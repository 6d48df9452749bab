import { chainOf } from './block-chain';

/** Fine enough to tell why, coarse enough to cost nothing. */
const BLOCK_TOKENS = 128;
/** Hashes remembered: about 8 million tokens. */
const MAX_HASHES = 65_536;

/** Remembers which prefixes were on the device once, by the hashes of their blocks, to tell why they are missed. */
export class EvictedPrompts {
  private readonly hashes = new Set<string>();

  /** @param key what the KV depends on beside the tokens */
  note(key: string, tokens: Int32Array): void {
    for (const hash of chainOf(key, tokens, BLOCK_TOKENS)) {
      // Noted again, a hash is young again: a set keeps the order of insertion.
      this.hashes.delete(hash);
      this.hashes.add(hash);
    }
    for (const hash of this.hashes) {
      if (this.hashes.size <= MAX_HASHES) return;
      this.hashes.delete(hash);
    }
  }

  /** Leading tokens of a prompt that were evicted at some time, in whole blocks. */
  sharedTokens(key: string, tokens: Int32Array): number {
    if (this.hashes.size === 0) return 0;
    const chain = chainOf(key, tokens, BLOCK_TOKENS);
    const unknown = chain.findIndex((hash) => !this.hashes.has(hash));
    return (unknown < 0 ? chain.length : unknown) * BLOCK_TOKENS;
  }
}
