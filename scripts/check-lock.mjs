// Fails when a lock file names a registry host or lets a package in without a checksum.
// Everyone installs from their own registry; the checksum makes that the same bytes.
import fs from 'node:fs';
import path from 'node:path';
import { root } from './host/paths.mjs';

const LOCK_FILES = ['package-lock.json', 'scripts/host/package-lock.json'];

/** Everything wrong with one lock file, in words. */
function faultsOf(file) {
  const { packages } = JSON.parse(fs.readFileSync(path.join(root, file), 'utf8'));
  return Object.entries(packages).flatMap(([name, entry]) => [
    ...(entry.resolved ? [`${file}: ${name} names the host it came from`] : []),
    ...(name.includes('node_modules/') && !entry.integrity && !entry.inBundle
      ? [`${file}: ${name} has no checksum`]
      : []),
  ]);
}

const faults = LOCK_FILES.flatMap(faultsOf);
if (faults.length) {
  process.stderr.write(
    `${faults.join('\n')}\nRun \`npm install\` in the checkout, whose .npmrc leaves hosts out.\n`,
  );
  process.exit(1);
}
