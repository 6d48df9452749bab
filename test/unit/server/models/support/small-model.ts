import { createHash } from 'node:crypto';
import type { CatalogueModel } from '../../../../../server/models/catalogue';
import { tinyModel, writeGguf } from './write-gguf';

/** The bytes of a model small enough for tests; a valid GGUF file. */
export const SMALL_MODEL_BYTES: Buffer = writeGguf(tinyModel('llama'));

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A catalogue entry for those bytes, in two wheels. */
export const SMALL_MODEL: CatalogueModel = {
  id: 'small',
  name: 'Small model',
  licence: 'Apache-2.0',
  bytes: SMALL_MODEL_BYTES.length,
  sha256: sha256Of(SMALL_MODEL_BYTES),
  trainedContextTokens: 512,
  cpuContextTokens: 256,
  hub: { repo: 'someone/small-gguf', file: 'small.gguf', revision: 'abc123' },
  pip: {
    parts: [
      { package: 'small-part1', version: '1.0', member: 'small_part1/data/part01.bin' },
      { package: 'small-part2', version: '1.0', member: 'small_part2/data/part02.bin' },
    ],
    thirdParty: false,
  },
};
