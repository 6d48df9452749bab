import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SafetensorsTensor {
  name: string;
  dtype: string;
  shape: number[];
  bytes: Uint8Array;
}

/** One file of the format: the header's length, the header, the tensors one after the other. */
function safetensorsFile(tensors: readonly SafetensorsTensor[]): Buffer {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, bytes }) => {
    const start = end;
    end += bytes.length;
    return [name, { dtype, shape, data_offsets: [start, end] }] as const;
  });
  const header = Buffer.from(
    JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, ...tensors.map(({ bytes }) => bytes)]);
}

export interface Checkpoint {
  config: object;
  tokenizer: object;
  tokenizerConfig: object;
  tensors: readonly SafetensorsTensor[];
}

/** A folder as the hub has it, the weights in one file or, with `parts`, in several. */
export function writeCheckpoint(folder: string, checkpoint: Checkpoint, parts = 1): void {
  mkdirSync(folder, { recursive: true });
  const json = (name: string, value: object): void =>
    writeFileSync(join(folder, name), JSON.stringify(value));
  json('config.json', checkpoint.config);
  json('tokenizer.json', checkpoint.tokenizer);
  json('tokenizer_config.json', checkpoint.tokenizerConfig);
  if (parts === 1) {
    writeFileSync(join(folder, 'model.safetensors'), safetensorsFile(checkpoint.tensors));
    return;
  }
  const nameOf = (part: number): string => `model-0000${part + 1}-of-0000${parts}.safetensors`;
  for (let part = 0; part < parts; part++) {
    const own = checkpoint.tensors.filter((_, index) => index % parts === part);
    writeFileSync(join(folder, nameOf(part)), safetensorsFile(own));
  }
  const map = checkpoint.tensors.map(({ name }, index) => [name, nameOf(index % parts)] as const);
  json('model.safetensors.index.json', { metadata: {}, weight_map: Object.fromEntries(map) });
}
