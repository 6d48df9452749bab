import fs from 'node:fs';
import type { GgufFile, GgufTensor } from '../../server/models/gguf/gguf-file';
import type { ModelSpec } from '../../server/models/model-spec';
import { specForLoad } from '../../server/models/spec-for-load';
import type { Tokenizer } from '../../server/tokenizer/tokenizer';

/** What a plain forward pass needs to know of a GGUF file beside its bytes. */
interface PublishedModel {
  /** By the context that the model is loaded with, as the engine loads it. */
  specs: Record<number, ModelSpec>;
  tensors: Record<string, Pick<GgufTensor, 'type' | 'dims' | 'offsetBytes' | 'sizeBytes'>>;
  /** Bytes of each token up to the first one that no model produces, in base64. */
  vocabulary: string[];
  endTokens: readonly number[];
}

/** Writes what `gguf` says of itself to `file`, as JSON. */
export async function publishModel(
  gguf: GgufFile,
  tokenizer: Tokenizer,
  contexts: readonly { contextTokens: number; yarnFactor: number }[],
  file: string,
): Promise<void> {
  const specs: PublishedModel['specs'] = {};
  for (const context of contexts) specs[context.contextTokens] = (await specForLoad(gguf, context)).spec;
  const model: PublishedModel = {
    specs,
    tensors: Object.fromEntries(
      [...gguf.tensors].map(([name, { type, dims, offsetBytes, sizeBytes }]) => [
        name,
        { type, dims, offsetBytes, sizeBytes },
      ]),
    ),
    vocabulary: Array.from({ length: tokenizer.firstUnusedToken }, (_, id) =>
      Buffer.from(tokenizer.bytesOf(id)).toString('base64'),
    ),
    endTokens: tokenizer.endTokens,
  };
  fs.writeFileSync(file, JSON.stringify(model));
}
