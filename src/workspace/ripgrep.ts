import { messageOf } from './problem';

/**
 * Absolute path of the ripgrep binary that the npm package brought for this platform. The package is left
 * out of the bundles and found in `node_modules` at run time; it is an ES module, hence the dynamic import.
 * @throws Error that names the platform when no binary is installed for it
 */
export async function ripgrepPath(): Promise<string> {
  try {
    const { rgPath } = await import('@vscode/ripgrep');
    return rgPath;
  } catch (error) {
    throw new Error(
      `Files cannot be listed: ripgrep for ${process.platform}-${process.arch} is not installed. ` +
        `Reinstall Longview with its optional dependencies (${messageOf(error)})`,
      { cause: error },
    );
  }
}
