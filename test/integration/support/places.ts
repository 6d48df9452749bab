import path from 'node:path';
import { cacheDirOf, readSettings } from '../../../src/config';

/** Small and quick: for everything that is not about the truth of an answer. */
export const FAST_MODEL = 'smollm2-135m-instruct-q4_1';

/** The user's cache folder, shared by all runs: a model is fetched once per machine. */
export const CACHE_DIR = cacheDirOf(readSettings({ get: () => undefined }).settings);

/** A program that the build has put into out/. Tests run in the checkout. */
export function builtFile(name: string): string {
  return path.resolve('out', name);
}
