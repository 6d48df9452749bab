import { notification, request } from './spec';

export interface WorkspaceRoot {
  /** Prefix of its files' paths when there are several roots; unique within the workspace. */
  name: string;
  /** Absolute path on the server's file system. */
  path: string;
}

/** One listed file: nothing of its content, which the server reads. */
export interface ManifestEntry {
  /** Index into `roots`. */
  root: number;
  /** Relative to its root, with `/`. */
  path: string;
  sizeBytes: number;
  mtimeMs: number;
}

/**
 * A piece of the file list. `full` pieces replace the list once the piece with `last` arrives; `delta`
 * applies at once and must follow revision `revision - 1`, else the server answers `resync: true`.
 */
export interface ManifestSyncParams {
  mode: 'full' | 'delta';
  revision: number;
  last: boolean;
  /** With `full`: the roots. With `delta`: ignored. */
  roots: WorkspaceRoot[];
  upserts: ManifestEntry[];
  /** With `delta`: entries that are gone, by root and path. */
  removals: { root: number; path: string }[];
}

export interface ManifestSyncResult {
  resync: boolean;
  files: number;
}

/** Brings the server's file list in step with the client's. */
export const ManifestSync = request<ManifestSyncParams, ManifestSyncResult>('longview/workspace/sync');

/** Text of an editor with unsaved changes; `null` once it is saved or closed. It wins over the disk. */
export interface OverlayParams {
  root: number;
  path: string;
  text: string | null;
}

export const Overlay = notification<OverlayParams>('longview/workspace/overlay');
