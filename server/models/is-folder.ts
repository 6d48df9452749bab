import { stat } from 'node:fs/promises';

/** False where there is nothing, too. */
export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
