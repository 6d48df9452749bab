import fs from 'node:fs';
import path from 'node:path';
import type { ManifestEntry } from '../../protocol';

/** Code as people write it, of a pinned package: about a million tokens. */
export const DEFAULT_CORPUS = 'node_modules/eslint/lib';
const CODE = /\.(ts|js|mjs|cjs|py|rs)$/;

/**
 * Copies the code of `corpus` into `folder`, each file under a first line that names `copy`: a prompt from one copy
 * shares no cached prefix with that of another. Returns what a manifest lists; with `files`, only so many of them.
 */
export function writeCorpus(corpus: string, folder: string, copy: string, files = Infinity): ManifestEntry[] {
  return codeFiles(corpus)
    .slice(0, files)
    .map((name) => {
      const file = path.join(folder, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, `// ${copy}\n${fs.readFileSync(path.join(corpus, name), 'utf8')}`);
      const { size, mtimeMs } = fs.statSync(file);
      return { root: 0, path: name, sizeBytes: size, mtimeMs };
    });
}

/** All of it as one text: what another engine is given. */
export function corpusText(corpus: string): string {
  return codeFiles(corpus)
    .map((name) => `// ${name}\n${fs.readFileSync(path.join(corpus, name), 'utf8')}`)
    .join('\n');
}

function codeFiles(corpus: string): string[] {
  const files = fs
    .readdirSync(corpus, { recursive: true, encoding: 'utf8' })
    .filter((name) => CODE.test(name));
  if (files.length === 0) throw new Error(`${corpus} holds no code`);
  return files.sort();
}
