// The real models that tests run on, fetched by the product's own downloader into the user's cache.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { root } from '../host/paths.mjs';

/** Small and quick, for everything that is not about the truth of an answer. */
export const FAST_MODEL = 'smollm2-135m-instruct-q4_1';

/** The default on a CPU: for the one test that reads the answer. */
export const TRUTH_MODEL = 'qwen2.5-coder-0.5b-instruct-q4_k_m';

/** Downloads what is missing; the command line names its source when that is a third party. */
export function ensureModels(ids) {
  for (const id of ids) {
    const cli = path.join(root, 'out/cli.js');
    const args = [cli, 'models', 'download', id];
    const { status, error } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 'inherit'] });
    if (status !== 0) {
      throw new Error(`the model ${id} could not be fetched (${error?.message ?? `exit code ${status}`})`);
    }
  }
}
