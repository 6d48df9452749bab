import type { FileStamp } from '../file-source';
import type { FileTerms } from '../index/file-terms';

export interface ScanRequest extends FileStamp {
  absolutePath: string;
  /** In its root. */
  path: string;
  displayPath: string;
}

/** What reading a file has told. */
export interface ScannedFile {
  /** As `file-state.ts` numbers them. */
  state: number;
  /** Of the content; what the request said where it cannot be read. */
  stamp: FileStamp;
  /** Of a file that holds text; valid only during the call. */
  text: { hash: Uint8Array; terms: FileTerms } | undefined;
}

export interface ScanInput {
  count: number;
  /** Made when it is needed: there may be a hundred thousand of them. */
  request: (index: number) => ScanRequest;
  /** Kept of each file. */
  mostTerms: number;
  onFile: (index: number, scanned: ScannedFile) => void;
}

/**
 * Reads many files and counts their terms. Tells what it found of each, by the number of its request, in any order; what
 * it does not tell of has to be read in another way.
 * @throws CancelledError
 */
export type ScanFiles = (input: ScanInput, signal: AbortSignal) => Promise<void>;
