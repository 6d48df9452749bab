import { deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  name: string;
  data: Uint8Array;
  /** 0: stored, 8: deflated; others are for tests of refusal. */
  method?: number;
  /** Said in the directory instead of the true size. */
  claimedBytes?: number;
}

/** A zip archive as wheels are; checksums are left out, for the reader goes by the sha256 of the model. */
export function writeZip(entries: readonly ZipEntry[], comment = ''): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data, method = 8, claimedBytes = data.length } of entries) {
    const stored = method === 8 ? deflateRawSync(data) : Buffer.from(data);
    const path = Buffer.from(name);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(path.length, 26);
    local.writeUInt16LE(4, 28);
    const extra = Buffer.from([1, 2, 0, 0]);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(stored.length, 20);
    entry.writeUInt32LE(claimedBytes, 24);
    entry.writeUInt16LE(path.length, 28);
    entry.writeUInt32LE(offset, 42);
    files.push(local, path, extra, stored);
    directory.push(entry, path);
    offset += local.length + path.length + extra.length + stored.length;
  }
  const end = Buffer.alloc(22);
  const directoryBytes = Buffer.concat(directory);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directoryBytes.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...files, directoryBytes, end, Buffer.from(comment)]);
}
