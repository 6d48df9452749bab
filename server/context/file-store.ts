import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ExclusionReason } from '../../protocol';
import { type Classified, classifyBytes, classifyText, classifyUnread, MAX_FILE_BYTES } from './classify';
import type { FileSource, FileStamp } from './file-source';
import { type Place, placeKey } from './manifest';

/** A file as the store is asked for it. */
export interface FileRequest extends Place, FileStamp {
  absolutePath: string;
}

/** What is known of a file's content. `hash` is the sha256 of its text, hex. */
export type FileState = { kind: 'text'; hash: string } | { kind: 'excluded'; reason: ExclusionReason };

export type LoadedFile =
  /** `editedAtMs`: when the text last changed as far as is known, in ms since the epoch. */
  | { kind: 'text'; hash: string; text: string; editedAtMs: number }
  | { kind: 'excluded'; reason: ExclusionReason; detail?: string };

interface Known {
  /** Of the disk; undefined for the text of an editor. */
  stamp: FileStamp | undefined;
  state: FileState;
}

interface Edited {
  hash: string;
  atMs: number;
}

export interface FileStoreOptions {
  /** Bytes of text kept in memory. */
  textCacheBytes: number;
}

const BYTES_PER_CHAR = 2;

/**
 * The content of the workspace's files: read once, classified, and kept as long as size and time stay the
 * same. Unsaved text wins over the disk. What cannot be read is excluded as `unreadable`, never an error.
 */
export class FileStore {
  private readonly known = new Map<string, Known>();
  private readonly overlays = new Map<string, string>();
  /** Outlives what is known: a file that is written again with the same text was not edited. */
  private readonly edited = new Map<string, Edited>();
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
    this.known.delete(key);
  }

  /** What is known of the files as they are on disk, for a later start. */
  *remembered(): Generator<{ key: string; stamp: FileStamp; state: FileState; editedAtMs: number }> {
    for (const [key, { stamp, state }] of this.known) {
      // What could not be read is tried again each time, and unsaved text is nobody else's.
      if (!stamp || (state.kind === 'excluded' && state.reason === 'unreadable')) continue;
      yield { key, stamp, state, editedAtMs: this.edited.get(key)?.atMs ?? stamp.mtimeMs };
    }
  }

  /** Takes over what an earlier start knew; it holds as long as size and time are the same. */
  recall(key: string, stamp: FileStamp, state: FileState, editedAtMs: number): void {
    if (this.known.has(key)) return;
    this.known.set(key, { stamp, state });
    if (state.kind === 'text') this.edited.set(key, { hash: state.hash, atMs: editedAtMs });
  }

  hasOverlay(place: Place): boolean {
    return this.overlays.has(placeKey(place));
  }

  clearOverlays(): void {
    for (const key of this.overlays.keys()) this.known.delete(key);
    this.overlays.clear();
  }

  /** What is known of the file if nothing about it has changed; undefined when it has to be loaded. */
  peek(file: FileRequest): FileState | undefined {
    const key = placeKey(file);
    const known = this.known.get(key);
    if (!known) return undefined;
    return this.overlays.has(key) || sameStamp(known.stamp, file) ? known.state : undefined;
  }

  /**
   * Content as it is now: unsaved text, else the disk, read again if size or time differ from what was read
   * before. The manifest may be behind; the disk is asked.
   */
  async load(file: FileRequest): Promise<LoadedFile> {
    const key = placeKey(file);
    const overlay = this.overlays.get(key);
    if (overlay !== undefined) {
      return this.remember(key, undefined, classifyText(file.path, overlay), Date.now());
    }
    try {
      return await this.loadFromDisk(key, file);
    } catch (error) {
      this.known.set(key, {
        stamp: { sizeBytes: file.sizeBytes, mtimeMs: file.mtimeMs },
        state: { kind: 'excluded', reason: 'unreadable' },
      });
      return {
        kind: 'excluded',
        reason: 'unreadable',
        detail: error instanceof Error ? error.message : String(error),
      };
    }
  }

  /** Forgets files that are not in the manifest any more. */
  retain(keys: ReadonlySet<string>): void {
    for (const key of this.known.keys()) {
      if (!keys.has(key)) this.known.delete(key);
    }
    for (const key of this.edited.keys()) {
      if (!keys.has(key)) this.edited.delete(key);
    }
  }

  private async loadFromDisk(key: string, file: FileRequest): Promise<LoadedFile> {
    const stamp = await this.source.stat(file.absolutePath);
    const known = this.known.get(key);
    if (known && sameStamp(known.stamp, stamp)) {
      // Permissions change without size and time, so what could not be read is tried again.
      if (known.state.kind === 'excluded' && known.state.reason !== 'unreadable') return known.state;
      const text = known.state.kind === 'text' ? this.texts.get(known.state.hash) : undefined;
      const atMs = this.edited.get(key)?.atMs;
      if (known.state.kind === 'text' && text !== undefined && atMs !== undefined) {
        return { ...known.state, text, editedAtMs: atMs };
      }
    }
    const reason = classifyUnread(file.path, stamp.sizeBytes);
    if (reason) return this.remember(key, stamp, { kind: 'excluded', reason }, stamp.mtimeMs);
    const content = await this.source.read(file.absolutePath, MAX_FILE_BYTES);
    if (content === 'tooLarge') {
      return this.remember(key, stamp, { kind: 'excluded', reason: 'tooLarge' }, stamp.mtimeMs);
    }
    const classified = classifyBytes(file.path, content.bytes);
    return this.remember(key, content.stamp, classified, content.stamp.mtimeMs);
  }

  /** @param changedAtMs when the text changed if it is another than before */
  private remember(
    key: string,
    stamp: FileStamp | undefined,
    content: Classified,
    changedAtMs: number,
  ): LoadedFile {
    if (content.kind === 'excluded') {
      this.known.set(key, { stamp, state: content });
      return content;
    }
    const hash = createHash('sha256').update(content.text).digest('hex');
    this.known.set(key, { stamp, state: { kind: 'text', hash } });
    this.texts.set(hash, content.text);
    return { ...content, hash, editedAtMs: this.editedAt(key, hash, changedAtMs) };
  }

  private editedAt(key: string, hash: string, changedAtMs: number): number {
    const before = this.edited.get(key);
    if (before?.hash === hash) return before.atMs;
    // A clock that went back, or a file with an old time in place of a newer one: it still changed last.
    const atMs = before ? Math.max(changedAtMs, before.atMs) : changedAtMs;
    this.edited.set(key, { hash, atMs });
    return atMs;
  }
}

function sameStamp(a: FileStamp | undefined, b: FileStamp): boolean {
  return a?.sizeBytes === b.sizeBytes && a.mtimeMs === b.mtimeMs;
}
