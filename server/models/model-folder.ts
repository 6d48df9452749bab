import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelState } from '../../protocol';
import type { CatalogueModel } from './catalogue';
import { ChecksumRecord } from './checksum-record';
import type { HashOptions } from './hash-file';
import { hasCode } from './json-file';
import { modelCorrupt } from './model-errors';

/** The folder of one catalogue model: the checked file, and what is still on its way. */
export class ModelFolder {
  readonly path: string;
  readonly modelPath: string;
  /** What sources have received so far. */
  readonly downloadPath: string;
  private readonly checksum: ChecksumRecord;

  constructor(
    modelsDir: string,
    readonly model: CatalogueModel,
  ) {
    this.path = join(modelsDir, model.id);
    this.modelPath = join(this.path, 'model.gguf');
    this.downloadPath = join(this.path, 'download');
    this.checksum = new ChecksumRecord(this.modelPath, join(this.path, 'model.sha256.json'));
  }

  async create(): Promise<void> {
    await mkdir(this.downloadPath, { recursive: true });
  }

  /** Looks at names and sizes only; `check` says whether a ready file is sound. */
  async state(): Promise<ModelState> {
    if ((await sizeOf(this.modelPath)) === this.model.bytes) return 'ready';
    return (await this.receivedBytes()) > 0 ? 'partial' : 'missing';
  }

  /** Bytes of the largest part that a source has left. */
  async receivedBytes(): Promise<number> {
    const names = await readdir(this.downloadPath).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    });
    const parts = names.filter((name) => name.endsWith('.part'));
    const sizes = await Promise.all(parts.map((name) => sizeOf(join(this.downloadPath, name))));
    return Math.max(0, ...sizes.map((size) => size ?? 0));
  }

  /**
   * Whether the model is here. Hashes the file when it changed since it was last checked.
   *
   * @throws LongviewError `modelCorrupt` when there is a file and it is not the model; CancelledError
   */
  async check(options: HashOptions): Promise<boolean> {
    const sizeBytes = await sizeOf(this.modelPath);
    if (sizeBytes === undefined) return false;
    if (sizeBytes !== this.model.bytes) {
      throw modelCorrupt(this.modelPath, `it has ${sizeBytes} bytes instead of ${this.model.bytes}`);
    }
    const sha256 = await this.checksum.sha256(options);
    if (sha256 !== this.model.sha256) throw this.wrongHash(this.modelPath, sha256);
    return true;
  }

  /** Moves a bad model file out of the way, for a look by hand; an earlier one is replaced. */
  async setAside(path: string = this.modelPath): Promise<string> {
    const aside = join(this.path, 'model.corrupt');
    await rename(path, aside);
    return aside;
  }

  /**
   * Makes a complete file the model, if its sha256 is right, and drops whatever else was on its way.
   *
   * @throws LongviewError `modelCorrupt` when it is wrong; the file is then set aside. CancelledError
   */
  async admit(complete: string, options: HashOptions): Promise<void> {
    const record = `${complete}.sha256.json`;
    const sha256 = await new ChecksumRecord(complete, record).sha256(options);
    if (sha256 !== this.model.sha256) throw this.wrongHash(await this.setAside(complete), sha256);
    await rename(complete, this.modelPath);
    await this.checksum.note(sha256);
    await rm(this.downloadPath, { recursive: true, force: true });
  }

  private wrongHash(path: string, sha256: string): Error {
    return modelCorrupt(path, `its sha256 is ${sha256} instead of ${this.model.sha256}`);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
