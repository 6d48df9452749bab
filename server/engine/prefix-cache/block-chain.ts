import { createHash } from 'node:crypto';

/**
 * A hash for each whole block of `tokens`, over all that its KV depends on: `key`, every token before the block,
 * and its own. Equal hashes mean equal KV.
 */
export function chainOf(key: string, tokens: Int32Array, blockTokens: number): string[] {
  let link: Uint8Array = createHash('sha256').update(key).digest();
  const chain: string[] = [];
  for (let end = blockTokens; end <= tokens.length; end += blockTokens) {
    const block = tokens.subarray(end - blockTokens, end);
    const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
    link = createHash('sha256').update(link).update(bytes).digest();
    chain.push(Buffer.from(link).toString('hex'));
  }
  return chain;
}
