import type { CatalogueModel } from '../catalogue';

/** A place that models can be fetched from. */
export interface ModelSource {
  readonly kind: 'hub' | 'pip';
  /** How this source would deliver the model. */
  offer(model: CatalogueModel): SourceOffer;
}

export interface SourceOffer {
  /** Names the place for people: repository or packages. */
  readonly name: string;
  readonly thirdParty: boolean;
  /** Packages that would be downloaded; empty where the source has none. */
  readonly packages: readonly string[];

  /**
   * Fetches the file, going on where an earlier call stopped, and returns where it lies. Its length is right;
   * its sha256 is for the caller to check.
   *
   * @throws SourceFailure when this source cannot deliver, so that another may be tried; CancelledError;
   * any file system error as it came
   */
  fetch(request: FetchRequest): Promise<string>;
}

export interface FetchRequest {
  /** Existing folder for what is not complete yet; kept until the model is. */
  readonly workDir: string;
  /** Bytes of the model that are here by now, those of earlier calls included. */
  readonly onProgress: (receivedBytes: number) => void;
  readonly signal: AbortSignal;
}

/** A source cannot deliver; the message is the reason in words, without a full stop. */
export class SourceFailure extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'SourceFailure';
  }
}
