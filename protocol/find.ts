import { request } from './spec';

export const FINDABLE = ['file', 'folder', 'symbol'] as const;
export type FindableKind = (typeof FINDABLE)[number];

export interface FindParams {
  kind: FindableKind;
  /** Part of a path or name; case does not matter. Empty: any file or folder, no symbol. */
  query: string;
  /** At most so many, the best ones first. */
  limit: number;
}

/** Lines count from 1; both ends are included. */
export type Findable =
  | { kind: 'file'; path: string }
  | { kind: 'folder'; path: string; files: number }
  | { kind: 'symbol'; path: string; name: string; startLine: number; endLine: number };

export interface FindResult {
  items: Findable[];
  /** False when the search ended before it had seen every file. */
  complete: boolean;
}

/** Finds files and folders of the workspace's list, or what their text defines. Cancelled with `$/cancelRequest`. */
export const Find = request<FindParams, FindResult>('longview/find');
