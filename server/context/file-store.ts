import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ExclusionReason } from '../../protocol';
import { type Classified, classifyBytes, classifyText, classifyUnread, MAX_FILE_BYTES } from './classify';
import { FileRecords } from './file-records';
import type { FileSource, FileStamp } from './file-source';
import { codeOfReason, type FileState } from './file-state';
import { type Place, placeKey } from './place-map';

/** A file as the store is asked for it. */
export interface FileRequest extends Place, FileStamp {
  absolutePath: string;
}

export type LoadedFile =
  /** `editedAtMs`: when the text last changed as far as is known, in ms since the epoch. */
  | { kind: 'text'; hash: string; text: string; editedAtMs: number; revision: number }
  | { kind: 'excluded'; reason: ExclusionReason; detail?: string };

export interface FileStoreOptions {
  /** Bytes of text kept in memory. */
  textCacheBytes: number;
}

const BYTES_PER_CHAR = 2;

/** The sha256 of a file's text. */
export const hashOfText = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * The content of the workspace's files: read once, classified, and kept as long as size and time stay the
 * same. Unsaved text wins over the disk. What cannot be read is excluded as `unreadable`, never an error.
 */
export class FileStore {
  readonly records = new FileRecords();
  private readonly overlays = new Map<string, string>();
  private readonly texts: LRUCache<string, string>;

  constructor(
    private readonly source: FileSource,
    options: FileStoreOptions,
  ) {
    this.texts = new LRUCache({
      maxSize: options.textCacheBytes,
      sizeCalculation: (text) => text.length * BYTES_PER_CHAR + 1,
    });
  }

  setOverlay(place: Place, text: string | null): void {
    const key = placeKey(place);
    if (text === null) this.overlays.delete(key);
    else this.overlays.set(key, text);
    this.forget(place);
  }

  hasOverlay(place: Place): boolean {
    return this.overlays.size > 0 && this.overlays.has(placeKey(place));
  }

  /** Forgets everything: the numbers of the roots mean other folders now. */
  clear(): void {
    this.overlays.clear();
    this.retain(() => false);
  }

  /** What is known of the file if nothing about it has changed: its row; undefined when it has to be loaded. */
  peek(file: Place & FileStamp): number | undefined {
    const row = this.records.rowOf(file);
    if (row === undefined || !this.records.isKnown(row)) return undefined;
    return this.records.hasStamp(row, file) || this.hasOverlay(file) ? row : undefined;
  }

  /**
   * Content as it is now: unsaved text, else the disk, read again if size or time differ from what was read
   * before. The manifest may be behind; the disk is asked.
   */
  async load(file: FileRequest): Promise<LoadedFile> {
    const overlay = this.overlays.get(placeKey(file));
    if (overlay !== undefined) {
      return this.remember(file, undefined, classifyText(file.path, overlay), Date.now());
    }
    try {
      return await this.loadFromDisk(file);
    } catch (error) {
      this.noteExcluded(file, file, 'unreadable');
      return {
        kind: 'excluded',
        reason: 'unreadable',
        detail: error instanceof Error ? error.message : String(error),
      };
    }
  }

  /**
   * Takes over what was found out about a file elsewhere, such as by an earlier start: its text is not kept.
   * @returns the revision of its text
   */
  noteText(place: Place, stamp: FileStamp, hash: Uint8Array, changedAtMs = stamp.mtimeMs): number {
    const row = this.records.claim(place);
    this.records.setText(row, stamp, hash, changedAtMs);
    return this.records.revisionOf(row);
  }

  noteExcluded(place: Place, { sizeBytes, mtimeMs }: FileStamp, reason: ExclusionReason): void {
    this.records.exclude(this.records.claim(place), { sizeBytes, mtimeMs }, codeOfReason(reason));
  }

  /** Forgets files that are not in the manifest any more. */
  retain(isListed: (place: Place) => boolean): void {
    for (const [place] of this.records.places()) {
      if (!isListed(place)) this.records.release(place);
    }
  }

  private forget(place: Place): void {
    const row = this.records.rowOf(place);
    if (row !== undefined) this.records.forget(row);
  }

  private async loadFromDisk(file: FileRequest): Promise<LoadedFile> {
    const stamp = await this.source.stat(file.absolutePath);
    const known = this.knownContent(file, stamp);
    if (known) return known;
    const reason = classifyUnread(file.path, stamp.sizeBytes);
    if (reason) return this.remember(file, stamp, { kind: 'excluded', reason }, stamp.mtimeMs);
    const content = await this.source.read(file.absolutePath, MAX_FILE_BYTES);
    if (content === 'tooLarge') {
      return this.remember(file, stamp, { kind: 'excluded', reason: 'tooLarge' }, stamp.mtimeMs);
    }
    const classified = classifyBytes(file.path, content.bytes);
    return this.remember(file, content.stamp, classified, content.stamp.mtimeMs);
  }

  /** What the file with this stamp was found to be; undefined where that is not known, or its text not kept. */
  private knownContent(file: FileRequest, stamp: FileStamp): LoadedFile | undefined {
    const row = this.records.rowOf(file);
    if (row === undefined || !this.records.hasStamp(row, stamp)) return undefined;
    const state = this.records.stateOf(row);
    if (!state) return undefined;
    // Permissions change without size and time, so what could not be read is tried again.
    if (state.kind === 'excluded') return state.reason === 'unreadable' ? undefined : state;
    const text = this.texts.get(state.hash);
    return text === undefined ? undefined : this.loaded(row, state, text);
  }

  /** @param changedAtMs when the text changed if it is another than before */
  private remember(
    file: FileRequest,
    stamp: FileStamp | undefined,
    content: Classified,
    changedAtMs: number,
  ): LoadedFile {
    const row = this.records.claim(file);
    if (content.kind === 'excluded') {
      this.records.exclude(row, stamp, codeOfReason(content.reason));
      return content;
    }
    const hash = hashOfText(content.text);
    this.records.setText(row, stamp, hash, changedAtMs);
    this.texts.set(hash.toString('hex'), content.text);
    return this.loaded(row, { kind: 'text', hash: hash.toString('hex') }, content.text);
  }

  private loaded(row: number, state: FileState & { kind: 'text' }, text: string): LoadedFile {
    return {
      ...state,
      text,
      editedAtMs: this.records.editedAt(row),
      revision: this.records.revisionOf(row),
    };
  }
}
