/** Where a file lies in the workspace. */
export interface Place {
  /** The number of its root. */
  root: number;
  /** In its root. */
  path: string;
}

/** NUL separates, because it is the one character that no path holds. */
export const placeKey = (place: Place): string => `${place.root}\0${place.path}`;

/**
 * Values by place: a table for each root, so that the path that is kept anyway is the key. With one key made of root and
 * path for each of a hundred thousand files, there would be a second copy of all paths.
 */
export class PlaceMap<T> {
  private readonly byRoot: (Map<string, T> | undefined)[] = [];
  private count = 0;

  get size(): number {
    return this.count;
  }

  get({ root, path }: Place): T | undefined {
    return this.byRoot[root]?.get(path);
  }

  has({ root, path }: Place): boolean {
    return this.byRoot[root]?.has(path) ?? false;
  }

  set({ root, path }: Place, value: T): void {
    this.byRoot[root] ??= new Map();
    const files = this.byRoot[root];
    const before = files.size;
    files.set(path, value);
    this.count += files.size - before;
  }

  /** False when there was nothing. */
  delete({ root, path }: Place): boolean {
    const wasThere = this.byRoot[root]?.delete(path) ?? false;
    if (wasThere) this.count--;
    return wasThere;
  }

  clear(): void {
    this.byRoot.length = 0;
    this.count = 0;
  }

  *values(): Generator<T> {
    for (const files of this.byRoot) if (files) yield* files.values();
  }

  *entries(): Generator<[place: Place, value: T]> {
    for (const [root, files] of this.byRoot.entries()) {
      for (const [path, value] of files ?? []) yield [{ root, path }, value];
    }
  }
}
