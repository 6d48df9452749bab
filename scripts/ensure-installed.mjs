// Installs the project's npm dependencies when they are missing or older than the lock file.
// Plain Node, no dependencies: the entry points import it before anything else.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const MINIMUM_NODE_MAJOR = 20;

/** npm writes this file last, with every package it installed. */
const INSTALLED_LOCK = 'node_modules/.package-lock.json';

/**
 * Returns once `node_modules` holds what the lock file names; npm's own output goes to stderr.
 * @throws Error that says what to do when Node is too old or npm fails
 */
export function ensureInstalled() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < MINIMUM_NODE_MAJOR) {
    throw new Error(
      `Longview needs Node ${MINIMUM_NODE_MAJOR} or newer, this is ${process.version}. Install a newer Node.`,
    );
  }
  if (isInstalled()) return;
  process.stderr.write('Installing npm dependencies...\n');
  const { status, error } = spawnSync('npm', ['ci', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 'inherit'],
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    const why = error?.message ?? `exit code ${status}`;
    throw new Error(`npm ci failed (${why}). Check that npm reaches its registry, then run \`npm ci\`.`);
  }
}

/** Compares the versions that are installed with those of the lock file; optional packages may be absent. */
function isInstalled() {
  const installedFile = path.join(root, INSTALLED_LOCK);
  if (!fs.existsSync(installedFile)) return false;
  const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8')).packages;
  const installed = read(installedFile);
  const wanted = read(path.join(root, 'package-lock.json'));
  return Object.entries(wanted).every(
    ([name, { version, optional }]) =>
      name === '' || (installed[name] ? installed[name].version === version : optional === true),
  );
}
