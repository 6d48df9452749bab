import { createHash } from 'node:crypto';

/** Raised whenever the file or the meaning of its payload changes; another version is as good as none. */
const BLOCK_FILE_VERSION = 2;

const MAGIC = 'LVKV';
/** Magic, version, id, payload bytes, sha256 of the payload, cost in ms or NaN. */
export const HEADER_BYTES = 4 + 4 + 32 + 8 + 32 + 8;
const COST_AT = HEADER_BYTES - 8;

export type ReadBlock = { kv: Uint8Array } | { unusable: 'damaged' | 'otherVersion' };

/**
 * The header that goes before the payload of a block.
 * @param id sha256 in hex
 * @param computeMs what computing all up to its end took
 */
export function blockHeader(id: string, kv: Uint8Array, computeMs = Number.NaN): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 0, 'latin1');
  header.writeUInt32LE(BLOCK_FILE_VERSION, 4);
  header.write(id, 8, 'hex');
  header.writeBigUInt64LE(BigInt(kv.byteLength), 40);
  createHash('sha256').update(kv).digest().copy(header, 48);
  header.writeDoubleLE(computeMs, COST_AT);
  return header;
}

/** The cost that a header tells; a hint for a choice, and so not under the checksum. */
export function computeMsIn(header: Buffer): number | undefined {
  if (header.length < HEADER_BYTES || header.readUInt32LE(4) !== BLOCK_FILE_VERSION) return undefined;
  const computeMs = header.readDoubleLE(COST_AT);
  return Number.isFinite(computeMs) && computeMs >= 0 ? computeMs : undefined;
}

/** The payload of a file if it is whole, of this version and the block that was asked for. */
export async function readBlock(id: string, file: Buffer): Promise<ReadBlock> {
  if (file.length < HEADER_BYTES || file.toString('latin1', 0, 4) !== MAGIC) return { unusable: 'damaged' };
  if (file.readUInt32LE(4) !== BLOCK_FILE_VERSION) return { unusable: 'otherVersion' };
  const kv = file.subarray(HEADER_BYTES);
  const isWhole = file.toString('hex', 8, 40) === id && file.readBigUInt64LE(40) === BigInt(kv.byteLength);
  if (!isWhole) return { unusable: 'damaged' };
  // On a thread of the pool: the next block is hashed while this one goes to the device.
  const checksum = Buffer.from(await crypto.subtle.digest('SHA-256', kv));
  return checksum.equals(file.subarray(48, COST_AT)) ? { kv } : { unusable: 'damaged' };
}
