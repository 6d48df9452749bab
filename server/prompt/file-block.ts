import { fileFence } from './format';
import { joinTokens } from './parts';

/** A file that can be packed: its text, and the ids of its fence and text together. */
export interface FileBlock {
  path: string;
  text: string;
  /** sha256 of the text. */
  hash: string;
  /** When its text last changed, in ms since the epoch. */
  editedAtMs: number;
  /** Of the text alone. */
  contentIds: Int32Array;
  ids: Int32Array;
}

type Encode = (text: string) => Int32Array;

/** @param contentIds of `file.text` alone */
export function fileBlock(
  file: Pick<FileBlock, 'path' | 'text' | 'hash' | 'editedAtMs'>,
  contentIds: Int32Array,
  encode: Encode,
): FileBlock {
  return { ...file, contentIds, ids: fencedIds(file, contentIds, encode) };
}

/** The ids of a version of the file that replaces one further up in the prompt, marked as such. */
export function newerVersionIds(block: FileBlock, encode: Encode): Int32Array {
  return fencedIds(block, block.contentIds, encode, true);
}

function fencedIds(
  { path, text }: Pick<FileBlock, 'path' | 'text'>,
  contentIds: Int32Array,
  encode: Encode,
  isNewer = false,
): Int32Array {
  const fence = fileFence(path, text, isNewer ? { newer: true } : {});
  return joinTokens([encode(fence.open), contentIds, encode(fence.close)]);
}
