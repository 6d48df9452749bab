import { dirname, extname } from 'node:path';
import type { GgufFile } from './gguf/gguf-file';
import { openGguf } from './gguf/open-gguf';
import { isFolder } from './is-folder';
import { openSafetensors } from './safetensors/open-safetensors';

/**
 * Opens a GGUF file, or a folder of safetensors with its `config.json` and `tokenizer.json` as the Hugging Face hub
 * has it (or one of its `.safetensors` files).
 *
 * @throws LongviewError `modelMissing`, `modelCorrupt`, `modelUnsupported`
 */
export async function openModel(path: string): Promise<GgufFile> {
  const folder = await safetensorsFolder(path);
  return folder === undefined ? openGguf(path) : openSafetensors(folder);
}

/** The folder that `path` names as a model; undefined where it names a single file. */
export async function safetensorsFolder(path: string): Promise<string | undefined> {
  if (extname(path) === '.safetensors') return dirname(path);
  return (await isFolder(path)) ? path : undefined;
}
