import type { FileStamp } from './file-source';
import { type FileState, reasonOfCode, TEXT, UNKNOWN } from './file-state';
import { withRow } from './index/columns';
import { HASH_BYTES } from './index/index-table';
import type { Place } from './place-map';
import { PlaceMap } from './place-map';

/** What is known of each file's content, in columns: a row for each file that was ever looked at. */
export class FileRecords {
  private readonly rows = new PlaceMap<number>();
  private readonly freeRows: number[] = [];
  private nextRow = 0;
  private states = new Uint8Array();
  /** Of the disk when the state was found; NaN for the text of an editor. */
  private sizesBytes = new Float64Array();
  private mtimesMs = new Float64Array();
  /** Outlive the state: a file that is written again with the same text was not edited. NaN before the first text. */
  private editedAtMs = new Float64Array();
  private hashes = new Uint8Array();
  private revisions = new Int32Array();
  private lastRevision = 0;

  get size(): number {
    return this.rows.size;
  }

  places(): Iterable<[place: Place, row: number]> {
    return this.rows.entries();
  }

  rowOf(place: Place): number | undefined {
    return this.rows.get(place);
  }

  /** The row of the file, a new one if it has none. */
  claim(place: Place): number {
    const known = this.rows.get(place);
    if (known !== undefined) return known;
    const row = this.freeRows.pop() ?? this.nextRow++;
    this.states = withRow(this.states, row);
    this.sizesBytes = withRow(this.sizesBytes, row);
    this.mtimesMs = withRow(this.mtimesMs, row);
    this.editedAtMs = withRow(this.editedAtMs, row);
    this.hashes = withRow(this.hashes, row, HASH_BYTES);
    this.revisions = withRow(this.revisions, row);
    this.states[row] = UNKNOWN;
    this.editedAtMs[row] = Number.NaN;
    this.rows.set(place, row);
    return row;
  }

  release(place: Place): void {
    const row = this.rows.get(place);
    if (row === undefined) return;
    this.rows.delete(place);
    this.freeRows.push(row);
  }

  isKnown(row: number): boolean {
    return this.states[row] !== UNKNOWN;
  }

  holdsText(row: number): boolean {
    return this.states[row] === TEXT;
  }

  /** Undefined while the content is not known. */
  stateOf(row: number): FileState | undefined {
    const code = this.states[row] ?? UNKNOWN;
    if (code === TEXT) return { kind: 'text', hash: this.hashOf(row) };
    const reason = reasonOfCode(code);
    return reason && { kind: 'excluded', reason };
  }

  /** The state as a number, as `file-state.ts` gives it. */
  codeOf(row: number): number {
    return this.states[row] ?? UNKNOWN;
  }

  /** True when the state was found on the disk with this size and time. */
  hasStamp(row: number, { sizeBytes, mtimeMs }: FileStamp): boolean {
    return this.sizesBytes[row] === sizeBytes && this.mtimesMs[row] === mtimeMs;
  }

  /** Of the disk; undefined for the text of an editor. */
  stampOf(row: number): FileStamp | undefined {
    const sizeBytes = this.sizesBytes[row] as number;
    return Number.isNaN(sizeBytes) ? undefined : { sizeBytes, mtimeMs: this.mtimesMs[row] as number };
  }

  /** When the text last changed as far as is known; NaN where there never was one. */
  editedAt(row: number): number {
    return this.editedAtMs[row] as number;
  }

  /** A number that the text of no other moment has had, for this file. */
  revisionOf(row: number): number {
    return this.revisions[row] as number;
  }

  /** Of the text that the file has, or had last; hex. */
  hashOf(row: number): string {
    const { buffer, byteOffset } = this.hashes;
    return Buffer.from(buffer, byteOffset + row * HASH_BYTES, HASH_BYTES).toString('hex');
  }

  copyHash(row: number, to: Uint8Array, at: number): void {
    to.set(this.hashes.subarray(row * HASH_BYTES, (row + 1) * HASH_BYTES), at);
  }

  forget(row: number): void {
    this.states[row] = UNKNOWN;
  }

  exclude(row: number, stamp: FileStamp | undefined, code: number): void {
    this.states[row] = code;
    this.setStamp(row, stamp);
  }

  /** @param changedAtMs when the text changed, if it is another than before */
  setText(row: number, stamp: FileStamp | undefined, hash: Uint8Array, changedAtMs: number): void {
    this.setStamp(row, stamp);
    this.states[row] = TEXT;
    const before = this.editedAtMs[row] as number;
    if (!Number.isNaN(before) && this.hasHash(row, hash)) return;
    // A clock that went back, or a file with an old time in place of a newer one: it still changed last.
    this.editedAtMs[row] = Number.isNaN(before) ? changedAtMs : Math.max(changedAtMs, before);
    this.hashes.set(hash, row * HASH_BYTES);
    this.revisions[row] = ++this.lastRevision;
  }

  private setStamp(row: number, stamp: FileStamp | undefined): void {
    this.sizesBytes[row] = stamp?.sizeBytes ?? Number.NaN;
    this.mtimesMs[row] = stamp?.mtimeMs ?? Number.NaN;
  }

  private hasHash(row: number, hash: Uint8Array): boolean {
    const start = row * HASH_BYTES;
    for (let at = 0; at < HASH_BYTES; at++) if (this.hashes[start + at] !== hash[at]) return false;
    return true;
  }
}
