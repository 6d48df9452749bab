/** Size and time of a file: while both stay, its content is taken to be the same. */
export interface FileStamp {
  sizeBytes: number;
  mtimeMs: number;
}

export interface FileContent {
  bytes: Uint8Array;
  stamp: FileStamp;
}

/** Where file content comes from. Paths are absolute. */
export interface FileSource {
  /** @throws Error when the path is gone, unreadable or not a regular file */
  stat(path: string): Promise<FileStamp>;

  /**
   * The whole content with the stamp that belongs to it; `tooLarge` above `maxBytes`, unread.
   * @throws Error when the path is gone, unreadable or not a regular file
   */
  read(path: string, maxBytes: number): Promise<FileContent | 'tooLarge'>;
}
