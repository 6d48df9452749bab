import { fileFence } from './format';
import { joinTokens } from './parts';

/** How much of a file is shown: all of it, or the heads of what it defines. */
export type Detail = 'full' | 'signatures';

/** Lines of a file as they are shown; lines count from 1. */
export interface Passage {
  text: string;
  firstLine: number;
}

/** A file that can be packed: what is shown of it, and the ids of its fence and text together. */
export interface FileBlock {
  path: string;
  detail: Detail;
  text: string;
  /** Where the lines of `text` stand in the file. */
  passages: readonly Passage[];
  /** Changes whenever `text` does. */
  hash: string;
  /** When its text last changed, in ms since the epoch. */
  editedAtMs: number;
  /** Of the text alone. */
  contentIds: Int32Array;
  ids: Int32Array;
  /** Of `ids`, what stands before the text. */
  openTokens: number;
}

type Encode = (text: string) => Int32Array;

/** @param contentIds of `file.text` alone */
export function fileBlock(
  file: Pick<FileBlock, 'path' | 'text' | 'hash' | 'editedAtMs'>,
  contentIds: Int32Array,
  encode: Encode,
): FileBlock {
  const passages = [{ text: file.text, firstLine: 1 }];
  const block = { ...file, detail: 'full', passages } as const;
  return { ...block, contentIds, ...fenced(block, contentIds, encode) };
}

/** A file of which only the heads of some definitions are shown, each on a line. */
export function signaturesBlock(
  file: Pick<FileBlock, 'path' | 'editedAtMs'>,
  signatures: readonly { text: string; line: number; depth: number }[],
  encode: Encode,
): FileBlock {
  const text = signatures.map((each) => `${'  '.repeat(each.depth)}${each.text}\n`).join('');
  const passages = signatures.map((each) => ({ text: each.text, firstLine: each.line }));
  const contentIds = encode(text);
  const block = { ...file, detail: 'signatures', text, hash: text, passages } as const;
  return { ...block, contentIds, ...fenced(block, contentIds, encode) };
}

/** The runs of a file that are encoded by themselves: its fence, its text, the end of the fence. */
export function piecesOf({ ids, openTokens, contentIds }: FileBlock): Int32Array[] {
  const endOfText = openTokens + contentIds.length;
  return [ids.subarray(0, openTokens), ids.subarray(openTokens, endOfText), ids.subarray(endOfText)];
}

/** The same for a version of the file that replaces one further up in the prompt, marked as such. */
export function newerVersionPieces(block: FileBlock, encode: Encode): Int32Array[] {
  return fence(block, block.contentIds, encode, true);
}

function fenced(block: Pick<FileBlock, 'path' | 'text' | 'detail'>, contentIds: Int32Array, encode: Encode) {
  const pieces = fence(block, contentIds, encode);
  return { ids: joinTokens(pieces), openTokens: pieces[0]?.length ?? 0 };
}

function fence(
  { path, text, detail }: Pick<FileBlock, 'path' | 'text' | 'detail'>,
  contentIds: Int32Array,
  encode: Encode,
  isNewer = false,
): Int32Array[] {
  const { open, close } = fileFence(path, text, { newer: isNewer, signatures: detail === 'signatures' });
  return [encode(open), contentIds, encode(close)];
}
