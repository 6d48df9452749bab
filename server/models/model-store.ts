import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import type { Device, ModelInfo } from '../../protocol';
import { LongviewError } from '../errors';
import { type CatalogueModel, CPU_CONTEXT_TOKENS, DEFAULT_MODEL_IDS } from './catalogue';
import { ChecksumRecord } from './checksum-record';
import { longestContext } from './context-limit';
import { type FreeBytes, withDiskSpace } from './disk-space';
import { DownloadLock } from './download-lock';
import type { HashOptions } from './hash-file';
import { byHand, type DownloadOptions, ModelDownload } from './model-download';
import { ModelFolder } from './model-folder';
import type { ModelSpec } from './model-spec';
import { openModel, safetensorsFolder } from './open-model';
import { readModelSpec } from './read-model-spec';
import { weightFiles } from './safetensors/open-safetensors';
import type { ModelSource } from './sources/model-source';

/** A model file that is on this machine, whole and checked. */
export interface ResolvedModel {
  /** Catalogue id; for a file outside the catalogue its name without the extension. */
  readonly id: string;
  readonly name: string;
  readonly path: string;
  /** Of the whole file, in hex: the identity of the weights. */
  readonly sha256: string;
  readonly trainedContextTokens: number;
  /** How many times longer YaRN may make that; absent: not at all. */
  readonly yarnFactor?: number;
  readonly cpuContextTokens: number;
}

export interface ModelStoreOptions {
  /** Absolute; models lie in `<cacheDir>/models/<id>/model.gguf`. */
  readonly cacheDir: string;
  readonly catalogue: readonly CatalogueModel[];
  /** In the order in which they are tried. */
  readonly sources: readonly ModelSource[];
  readonly freeBytes: FreeBytes;
}

/**
 * The models on this machine: which there are, where they lie, and how to get more. Several processes may
 * share one cache folder. No file is handed out whose sha256 was not computed since it last changed.
 */
export class ModelStore {
  private readonly modelsDir: string;

  constructor(private readonly options: ModelStoreOptions) {
    this.modelsDir = join(options.cacheDir, 'models');
  }

  /**
   * Every model of the catalogue, in its order, whether it is here, and which is the default of `device`. Looks at
   * sizes, hashes nothing.
   */
  async list(device: Device): Promise<ModelInfo[]> {
    return Promise.all(this.options.catalogue.map((model) => this.infoOf(model, device)));
  }

  /**
   * The file of a model. One that changed since it was last checked is hashed again, which takes seconds and
   * is told to `options.onProgress`.
   *
   * @param idOrPath catalogue id, or absolute path of a GGUF file or a folder of safetensors; undefined: the default of
   * the device
   * @throws LongviewError `modelUnknown`, `modelMissing`, `modelCorrupt`, and for a file outside the catalogue
   * `modelUnsupported`; CancelledError
   */
  async resolve(
    idOrPath: string | undefined,
    device: Device,
    options: HashOptions = {},
  ): Promise<ResolvedModel> {
    const wanted = idOrPath ?? DEFAULT_MODEL_IDS[device];
    return isAbsolute(wanted) ? this.resolveFile(wanted, options) : this.resolveId(wanted, options);
  }

  /**
   * Fetches a model from the first source that delivers and returns its path. A model that is here already is
   * only checked; a damaged one is set aside. What a stopped or failed call received is kept for the next one.
   *
   * @throws LongviewError `modelUnknown`, `downloadBusy`, `diskFull`, `modelCorrupt`, `modelSourceUnreachable`,
   * `thirdPartyConsentRequired`; CancelledError
   */
  async download(id: string, options: DownloadOptions): Promise<string> {
    const folder = this.folderOf(this.modelOf(id));
    return this.locked(id, async () => {
      if (!(await this.isSound(folder, options))) {
        await new ModelDownload(folder, this.options.sources, this.options.freeBytes, options).run();
      }
      return folder.modelPath;
    });
  }

  /**
   * Copies a GGUF file of a catalogue model to its place and returns the model's id.
   *
   * @throws LongviewError `modelMissing`, `modelCorrupt` and `modelUnsupported` for a bad file, `modelUnknown`
   * when its sha256 is of no model in the catalogue, `downloadBusy`, `diskFull`; CancelledError
   */
  async importFile(path: string, options: HashOptions = {}): Promise<string> {
    const { sha256 } = await this.resolveFile(path, options);
    const model = this.options.catalogue.find((candidate) => candidate.sha256 === sha256);
    if (!model) throw notInCatalogue(path, sha256);
    const folder = this.folderOf(model);
    if (path !== folder.modelPath) await this.locked(model.id, () => this.copyIn(path, folder, options));
    return model.id;
  }

  private async infoOf(model: CatalogueModel, device: Device): Promise<ModelInfo> {
    const { id, name, licence, bytes, trainedContextTokens, cpuContextTokens } = model;
    return {
      ...{ id, name, licence, bytes, trainedContextTokens, cpuContextTokens },
      longestContextTokens: longestContext(model),
      state: await this.folderOf(model).state(),
      isDefault: id === DEFAULT_MODEL_IDS[device],
      sources: this.options.sources.map((source) => {
        const offer = source.offer(model);
        return { kind: source.kind, name: offer.name, thirdParty: offer.thirdParty };
      }),
    };
  }

  private async resolveId(id: string, options: HashOptions): Promise<ResolvedModel> {
    const model = this.modelOf(id);
    const folder = this.folderOf(model);
    if (!(await folder.check(options))) throw notHere(model);
    const { name, sha256, trainedContextTokens, cpuContextTokens } = model;
    return {
      ...{ id, name, path: folder.modelPath, sha256, trainedContextTokens, cpuContextTokens },
      ...extensionOf(model),
    };
  }

  private async resolveFile(path: string, options: HashOptions): Promise<ResolvedModel> {
    if (!isAbsolute(path)) throw this.unknown(path);
    const spec = await specOf(path);
    const sha256 = await this.identityOf(path, options);
    const known = this.options.catalogue.find((model) => model.sha256 === sha256);
    return {
      id: known?.id ?? basename(path, '.gguf'),
      name: known?.name ?? spec.name,
      ...{ path, sha256 },
      trainedContextTokens: spec.trainedContextTokens,
      ...(known && extensionOf(known)),
      cpuContextTokens: known?.cpuContextTokens ?? Math.min(CPU_CONTEXT_TOKENS, spec.trainedContextTokens),
    };
  }

  /** The sha256 of a file; of a folder, that of the sums of all that decides what the model computes. */
  private async identityOf(path: string, options: HashOptions): Promise<string> {
    const folder = await safetensorsFolder(path);
    if (folder === undefined) return this.checksumOf(path, options);
    const files = [
      join(folder, 'config.json'),
      join(folder, 'tokenizer.json'),
      ...(await weightFiles(folder)),
    ];
    const sums: string[] = [];
    for (const file of files) sums.push(await this.checksumOf(file, options));
    return createHash('sha256').update(sums.join('\n')).digest('hex');
  }

  private checksumOf(path: string, options: HashOptions): Promise<string> {
    const name = `${createHash('sha256').update(path).digest('hex')}.json`;
    return new ChecksumRecord(path, join(this.modelsDir, 'checksums', name)).sha256(options);
  }

  /** Whether the model is in its place. A damaged file is set aside, so that a good one can take it. */
  private async isSound(folder: ModelFolder, { onEvent, signal }: DownloadOptions): Promise<boolean> {
    try {
      return await folder.check({ signal, onProgress: (fraction) => onEvent({ kind: 'verify', fraction }) });
    } catch (error) {
      if (!(error instanceof LongviewError && error.code === 'modelCorrupt')) throw error;
      await folder.setAside();
      onEvent({
        kind: 'sourceFailed',
        name: 'file on this machine',
        reason: error.message.replace(/\.$/, ''),
      });
      return false;
    }
  }

  private async copyIn(from: string, folder: ModelFolder, options: HashOptions): Promise<void> {
    const claim = {
      folder: folder.path,
      what: folder.model.name,
      neededBytes: () => Promise.resolve(folder.model.bytes),
    };
    await folder.create();
    await withDiskSpace(claim, this.options.freeBytes, async () => {
      const copy = join(folder.downloadPath, 'import.part');
      // A file system that can shares the blocks of both files until one of them changes.
      await copyFile(from, copy, constants.COPYFILE_FICLONE);
      await folder.admit(copy, options);
    });
  }

  private async locked<T>(modelId: string, work: () => Promise<T>): Promise<T> {
    await mkdir(this.modelsDir, { recursive: true });
    const lock = await DownloadLock.acquire(join(this.modelsDir, 'download.lock'), modelId);
    try {
      return await work();
    } finally {
      await lock.release();
    }
  }

  private folderOf(model: CatalogueModel): ModelFolder {
    return new ModelFolder(this.modelsDir, model);
  }

  private modelOf(id: string): CatalogueModel {
    const model = this.options.catalogue.find((candidate) => candidate.id === id);
    if (!model) throw this.unknown(id);
    return model;
  }

  private unknown(wanted: string): LongviewError {
    const ids = this.options.catalogue.map((model) => model.id);
    return new LongviewError(
      'modelUnknown',
      `There is no model "${wanted}"; known models: ${ids.join(', ')}.`,
      'Choose one of these ids or give the absolute path of a GGUF file.',
      { wanted, ids },
    );
  }
}

function extensionOf({ yarnFactor }: CatalogueModel): Pick<ResolvedModel, 'yarnFactor'> {
  return yarnFactor === undefined ? {} : { yarnFactor };
}

/** @throws LongviewError when it is not a model that Longview runs */
async function specOf(path: string): Promise<ModelSpec> {
  const gguf = await openModel(path);
  try {
    return readModelSpec(gguf);
  } finally {
    await gguf.close();
  }
}

function notHere(model: CatalogueModel): LongviewError {
  const megabytes = Math.round(model.bytes / 1e6);
  return new LongviewError(
    'modelMissing',
    `${model.name} is not on this machine.`,
    `Download it (${megabytes} MB) with "longview models download ${model.id}", or import the file: ${byHand(model)}`,
    { id: model.id, bytes: model.bytes },
  );
}

function notInCatalogue(path: string, sha256: string): LongviewError {
  return new LongviewError(
    'modelUnknown',
    `The file ${path} is none of the models that Longview knows (its sha256 is ${sha256}).`,
    'Use the file in place, by choosing its absolute path as the model.',
    { path, sha256 },
  );
}
