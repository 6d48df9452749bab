// Fails when a lock file names a registry host, lets a package in without a checksum or misses one.
// Everyone installs from their own registry; the checksum makes that the same bytes. Registries exist that
// lack the binaries of other platforms: npm then leaves these out of the lock, and `npm ci` refuses it
// everywhere. Their entries may stand without a checksum.
import fs from 'node:fs';
import path from 'node:path';
import { root } from './host/paths.mjs';

const LOCK_FILES = ['package-lock.json', 'scripts/host/package-lock.json'];

/** Everything wrong with one lock file, in words. */
function faultsOf(file) {
  const { packages } = JSON.parse(fs.readFileSync(path.join(root, file), 'utf8'));
  return Object.entries(packages).flatMap(([name, entry]) => [
    ...(entry.resolved ? [`${file}: ${name} names the host it came from`] : []),
    ...(lacksChecksum(name, entry) ? [`${file}: ${name} has no checksum`] : []),
    ...missingOptionals(name, entry, packages).map(
      (missing) => `${file}: ${missing} (of ${name}) is missing`,
    ),
  ]);
}

function lacksChecksum(name, { integrity, inBundle, ...entry }) {
  return name !== '' && !integrity && !inBundle && !isForAnotherPlatform(entry);
}

/** True for binaries that Linux x64 with glibc, where CI runs, never installs. */
function isForAnotherPlatform({ optional = false, os = ['linux'], cpu = ['x64'], libc = ['glibc'] }) {
  return optional && !(os.includes('linux') && cpu.includes('x64') && libc.includes('glibc'));
}

/** Optional dependencies that no folder npm would look into has an entry for. */
function missingOptionals(name, { optionalDependencies = {} }, packages) {
  const places = [''];
  for (const match of name.matchAll(/(?<=node_modules\/)(?:@[^/]+\/)?[^/]+/g)) {
    places.push(`${name.slice(0, match.index + match[0].length)}/`);
  }
  return Object.keys(optionalDependencies).filter(
    (wanted) => !places.some((place) => packages[`${place}node_modules/${wanted}`]),
  );
}

const faults = LOCK_FILES.flatMap(faultsOf);
if (faults.length) {
  process.stderr.write(
    `${faults.join('\n')}\nRun \`npm install\` in the checkout, whose .npmrc leaves hosts out.\n`,
  );
  process.exit(1);
}
