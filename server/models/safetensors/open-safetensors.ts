import type { FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { GgufFile, GgufTensor, GgufValue } from '../gguf/gguf-file';
import { openFile, readRange, unreadable } from '../gguf/open-gguf';
import { readJsonFile, readTextFile } from '../json-file';
import { modelCorrupt } from '../model-errors';
import { ROPE_DIVISORS } from '../read-model-spec';
import { readHfConfig } from './hf-config';
import { readHfTokenizer } from './hf-tokenizer';
import { headerLength, LENGTH_BYTES, parseHeader } from './parse-header';
import { ggufTensorName, isComputed } from './tensor-names';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const HEAD = 'output.weight';

const Index = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/**
 * Opens a folder as the Hugging Face hub has it: `config.json`, `tokenizer.json`, `tokenizer_config.json`, and the
 * weights in `model.safetensors` or in the parts that `model.safetensors.index.json` names.
 *
 * @throws LongviewError `modelMissing` where a file is not there, `modelCorrupt`, `modelUnsupported`
 */
export async function openSafetensors(folder: string): Promise<GgufFile> {
  const config = readHfConfig(await json(folder, 'config.json'), folder, basename(folder));
  const template = await readTextFile(join(folder, 'chat_template.jinja'));
  const tokenizer = readHfTokenizer(
    {
      tokenizer: await json(folder, 'tokenizer.json'),
      config: await json(folder, 'tokenizer_config.json'),
      ...(template !== undefined && { template }),
    },
    folder,
  );
  const model = new OpenSafetensors(folder, new Map([...config.metadata, ...tokenizer]));
  try {
    for (const file of await weightFiles(folder)) await model.add(file);
    if (config.isTied) model.leaveOut(HEAD);
    else if (!model.tensors.has(HEAD)) throw modelCorrupt(folder, 'the tensor lm_head.weight is missing');
    if (config.ropeDivisors) model.addComputed(ROPE_DIVISORS, config.ropeDivisors);
    return model;
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** Absolute paths of the files that hold weights, in the order of their names. */
export async function weightFiles(folder: string): Promise<string[]> {
  const index = Index.safeParse(await readJsonFile(join(folder, INDEX))).data;
  const names = index ? [...new Set(Object.values(index.weight_map))].sort() : [SINGLE];
  const outside = names.find((name) => basename(name) !== name);
  if (outside !== undefined) throw modelCorrupt(folder, `its index names the file ${outside}`);
  return names.map((name) => join(folder, name));
}

async function json(folder: string, name: string): Promise<unknown> {
  const value = await readJsonFile(join(folder, name));
  if (value === undefined) throw unreadable(join(folder, name), 'it is not there, or no JSON');
  return value;
}

class OpenSafetensors implements GgufFile {
  readonly files: string[] = [];
  readonly tensors = new Map<string, GgufTensor>();
  sizeBytes = 0;
  private readonly handles: FileHandle[] = [];
  private readonly computed = new Map<string, Float32Array>();

  constructor(
    readonly path: string,
    readonly metadata: ReadonlyMap<string, GgufValue>,
  ) {}

  async add(path: string): Promise<void> {
    const handle = await openFile(path);
    const file = this.handles.push(handle) - 1;
    this.files.push(path);
    const { size } = await handle.stat();
    this.sizeBytes += size;
    const length = headerLength(await readRange(handle, path, 0, LENGTH_BYTES), path);
    const header = Buffer.from(await readRange(handle, path, LENGTH_BYTES, length)).toString('utf8');
    for (const tensor of parseHeader(header, path, size)) {
      if (isComputed(tensor.name)) continue;
      const name = ggufTensorName(tensor.name);
      if (this.tensors.has(name)) throw modelCorrupt(path, `the tensor ${tensor.name} appears twice`);
      this.tensors.set(name, { ...tensor, name, file });
    }
  }

  leaveOut(name: string): void {
    this.tensors.delete(name);
  }

  /** A tensor that GGUF files hold, and that follows from the configuration. */
  addComputed(name: string, values: Float32Array): void {
    const shape = { dims: [values.length], elementCount: values.length, sizeBytes: values.byteLength };
    this.tensors.set(name, { name, type: 'F32', ...shape, offsetBytes: 0, file: 0 });
    this.computed.set(name, values);
  }

  async readTensor(name: string): Promise<Uint8Array> {
    const values = this.computed.get(name);
    if (values) return new Uint8Array(values.slice().buffer);
    const tensor = this.tensors.get(name);
    const file = tensor?.file ?? 0;
    const handle = this.handles[file];
    if (!tensor || !handle) throw modelCorrupt(this.path, `it has no tensor ${name}`);
    return readRange(handle, this.files[file] ?? this.path, tensor.offsetBytes, tensor.sizeBytes);
  }

  async close(): Promise<void> {
    for (const handle of this.handles) await handle.close();
  }
}
