import fs from 'node:fs';
import path from 'node:path';

/** Code as people write it: Longview's own. */
const FOLDERS = ['protocol', 'src', 'server', 'media', 'test', 'scripts'];
const CODE = /\.(ts|mjs|cjs)$/;

/**
 * Copies the checkout's code into `folder`, each file under a first line that names `copy`: a prompt from one copy
 * shares no cached prefix with that of another. Returns the bytes written.
 */
export function writeCorpus(checkout: string, folder: string, copy: string): number {
  let bytes = 0;
  for (const name of FOLDERS.flatMap((top) => filesIn(checkout, top))) {
    const text = `// ${copy}\n${fs.readFileSync(path.join(checkout, name), 'utf8')}`;
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    bytes += text.length;
  }
  return bytes;
}

function filesIn(checkout: string, top: string): string[] {
  const folder = path.join(checkout, top);
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => CODE.test(name))
    .map((name) => path.join(top, name))
    .sort();
}
