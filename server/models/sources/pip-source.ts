import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { throwIfCancelled } from '../../errors';
import type { CatalogueModel, PipLocation, WheelPart } from '../catalogue';
import { readJsonFile, writeJsonFile } from '../json-file';
import { type FetchRequest, type ModelSource, SourceFailure, type SourceOffer } from './model-source';
import { openPartFile, type PartFile } from './part-file';
import type { PipClient } from './pip-client';
import { extractMember } from './wheel';

/** Which wheels are in the part file. Anything after `lengthBytes` is of a wheel that was cut. */
const PartState = z.object({ packages: z.array(z.string()), lengthBytes: z.number().int().nonnegative() });
type PartState = z.infer<typeof PartState>;

/** Start of the names of folders that hold one wheel for a moment. */
const WHEEL_FOLDER = 'wheel-';

/** Python wheels that carry a model in pieces, fetched through the user's own pip and never run. */
export class PipSource implements ModelSource {
  readonly kind = 'pip';

  constructor(
    private readonly pip: PipClient,
    private readonly openPart: (path: string) => Promise<PartFile> = openPartFile,
  ) {}

  offer(model: CatalogueModel): SourceOffer {
    return {
      name: nameOf(model.pip),
      thirdParty: model.pip.thirdParty,
      packages: model.pip.parts.map(requirementOf),
      fetch: (request) => this.fetch(model, request),
    };
  }

  private async fetch(model: CatalogueModel, request: FetchRequest): Promise<string> {
    const part = await this.openPart(join(request.workDir, 'pip.part'));
    try {
      await new PipAssembly(this.pip, model, part, request).run();
    } finally {
      await part.close();
    }
    return part.path;
  }
}

/** One model, wheel after wheel. */
class PipAssembly {
  private readonly statePath: string;

  constructor(
    private readonly pip: PipClient,
    private readonly model: CatalogueModel,
    private readonly part: PartFile,
    private readonly request: FetchRequest,
  ) {
    this.statePath = `${part.path}.json`;
  }

  async run(): Promise<void> {
    const done = await this.resume();
    for (const [index, wheel] of this.model.pip.parts.entries()) {
      if (index < done) continue;
      await this.add(wheel);
      const packages = this.model.pip.parts.slice(0, index + 1).map(requirementOf);
      await writeJsonFile(this.statePath, {
        packages,
        lengthBytes: this.part.lengthBytes,
      } satisfies PartState);
    }
    if (this.part.lengthBytes === this.model.bytes) return;
    const sizes = `${this.part.lengthBytes} bytes instead of ${this.model.bytes}`;
    await this.part.truncate(0);
    throw new SourceFailure(`the wheels hold another file, of ${sizes}`);
  }

  /** Cuts the part file back to whole wheels and returns how many it holds. */
  private async resume(): Promise<number> {
    const state = PartState.safeParse(await readJsonFile(this.statePath)).data;
    const wanted = this.model.pip.parts.map(requirementOf);
    const usable =
      state !== undefined &&
      state.lengthBytes <= Math.min(this.part.lengthBytes, this.model.bytes) &&
      state.packages.every((name, index) => name === wanted[index]);
    await this.part.truncate(usable ? state.lengthBytes : 0);
    return usable ? state.packages.length : 0;
  }

  private async add(wheel: WheelPart): Promise<void> {
    const before = this.part.lengthBytes;
    const room = this.model.bytes - before;
    const { signal, onProgress } = this.request;
    await this.removeWheelFolders();
    // A fresh name each time: a pip that outlived a killed process may still write to its own.
    const folder = await mkdtemp(join(this.request.workDir, WHEEL_FOLDER));
    try {
      const path = await this.pip.download({
        package: wheel.package,
        version: wheel.version,
        folder,
        signal,
        onProgress: (wheelBytes) => onProgress(before + Math.min(wheelBytes, room)),
      });
      await extractMember(path, wheel.member, room, async (chunk) => {
        throwIfCancelled(signal);
        await this.part.append(chunk);
      });
    } finally {
      await this.removeWheelFolders();
    }
    onProgress(this.part.lengthBytes);
  }

  private async removeWheelFolders(): Promise<void> {
    const names = await readdir(this.request.workDir);
    const folders = names.filter((name) => name.startsWith(WHEEL_FOLDER));
    for (const name of folders) await rm(join(this.request.workDir, name), { recursive: true, force: true });
  }
}

function requirementOf(wheel: WheelPart): string {
  return `${wheel.package}==${wheel.version}`;
}

function nameOf({ parts }: PipLocation): string {
  const [first, last] = [parts[0], parts.at(-1)];
  if (!first || !last) return 'no Python package';
  if (first === last) return `Python package ${requirementOf(first)}`;
  return `Python packages ${requirementOf(first)} to ${requirementOf(last)}`;
}
