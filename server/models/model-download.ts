import type { DownloadEvent } from '../../protocol';
import { LongviewError } from '../errors';
import type { CatalogueModel } from './catalogue';
import { type FreeBytes, withDiskSpace } from './disk-space';
import type { ModelFolder } from './model-folder';
import { type ModelSource, SourceFailure, type SourceOffer } from './sources/model-source';

/** Progress is worth telling this often. */
const PROGRESS_INTERVAL_MS = 100;

export interface DownloadOptions {
  /** Third-party uploads are used only with this consent. */
  readonly allowThirdParty: boolean;
  readonly onEvent: (event: DownloadEvent) => void;
  readonly signal: AbortSignal;
}

/** Why one source did not deliver. */
interface Failure {
  readonly name: string;
  readonly reason: string;
  /** Set when it delivered a file with the wrong sha256. */
  readonly corrupt?: LongviewError;
}

/** One attempt to get one model from the first source that delivers. The caller holds the download lock. */
export class ModelDownload {
  private readonly failures: Failure[] = [];
  private readonly refused: SourceOffer[] = [];

  constructor(
    private readonly folder: ModelFolder,
    private readonly sources: readonly ModelSource[],
    private readonly freeBytes: FreeBytes,
    private readonly options: DownloadOptions,
  ) {}

  /**
   * @throws LongviewError `diskFull`, `modelCorrupt` when all that arrived was wrong,
   * `thirdPartyConsentRequired`, `modelSourceUnreachable`; CancelledError
   */
  async run(): Promise<void> {
    const { model } = this.folder;
    await this.folder.create();
    const claim = {
      folder: this.folder.path,
      what: model.name,
      neededBytes: async () => Math.max(0, model.bytes - (await this.folder.receivedBytes())),
    };
    await withDiskSpace(claim, this.freeBytes, async () => {
      for (const source of this.sources) {
        if (await this.tryOffer(source.offer(model))) return;
      }
      throw this.undelivered();
    });
  }

  /** True when the model is in its place. */
  private async tryOffer(offer: SourceOffer): Promise<boolean> {
    const { allowThirdParty, onEvent } = this.options;
    if (offer.thirdParty && !allowThirdParty) {
      this.refused.push(offer);
      return false;
    }
    onEvent({ kind: 'source', name: offer.name, thirdParty: offer.thirdParty });
    try {
      await this.fetchAndAdmit(offer);
      return true;
    } catch (error) {
      const failure = failureOf(offer, error);
      if (!failure) throw error;
      this.failures.push(failure);
      onEvent({ kind: 'sourceFailed', name: failure.name, reason: failure.reason });
      return false;
    }
  }

  private async fetchAndAdmit(offer: SourceOffer): Promise<void> {
    const { onEvent, signal } = this.options;
    const totalBytes = this.folder.model.bytes;
    const tellProgress = throttled((receivedBytes) => {
      onEvent({ kind: 'progress', receivedBytes, totalBytes });
    }, totalBytes);
    const complete = await offer.fetch({
      workDir: this.folder.downloadPath,
      onProgress: tellProgress,
      signal,
    });
    const onProgress = throttled((fraction) => {
      onEvent({ kind: 'verify', fraction });
    }, 1);
    await this.folder.admit(complete, { onProgress, signal });
  }

  private undelivered(): LongviewError {
    const { model } = this.folder;
    const corrupt = this.failures.find((failure) => failure.corrupt)?.corrupt;
    if (corrupt) return corrupt;
    const reasons = this.failures.map(({ name, reason }) => `${name}: ${reason}`);
    const because = reasons.length > 0 ? ` (${reasons.join('; ')})` : '';
    const packages = this.refused.flatMap((offer) => offer.packages);
    if (packages.length > 0) {
      return new LongviewError(
        'thirdPartyConsentRequired',
        `${model.name} can only be had from packages that third parties uploaded: ${packages.join(', ')}${because}.`,
        `Allow third-party packages (only data is taken from them, and its sha256 is checked), or import the file: ${byHand(model)}`,
        { id: model.id, packages, reasons },
      );
    }
    return new LongviewError(
      'modelSourceUnreachable',
      `${model.name} could not be fetched from anywhere${because}.`,
      `Check the network and proxy settings and try again, or import the file: ${byHand(model)}`,
      { id: model.id, reasons },
    );
  }
}

function failureOf(offer: SourceOffer, error: unknown): Failure | undefined {
  if (error instanceof SourceFailure) return { name: offer.name, reason: error.message };
  if (error instanceof LongviewError && error.code === 'modelCorrupt') {
    return { name: offer.name, reason: error.message.replace(/\.$/, ''), corrupt: error };
  }
  return undefined;
}

/** How to bring the file over by hand. */
export function byHand({ hub }: CatalogueModel): string {
  return `fetch ${hub.file} of ${hub.repo} from huggingface.co on another machine, then run "longview models import FILE".`;
}

/** Calls `tell` at most every `PROGRESS_INTERVAL_MS`, and always with `end`. */
function throttled(tell: (value: number) => void, end: number): (value: number) => void {
  let lastMs = -Infinity;
  return (value) => {
    const nowMs = performance.now();
    if (value < end && nowMs - lastMs < PROGRESS_INTERVAL_MS) return;
    lastMs = nowMs;
    tell(value);
  };
}
