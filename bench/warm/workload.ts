import fs from 'node:fs';
import path from 'node:path';
import { openGguf } from '../../server/models/gguf/open-gguf';
import { tokenizerFromMetadata } from '../../server/tokenizer/from-gguf';

/** Code as people write it: Longview's own. */
const FOLDERS = ['protocol', 'server', 'src', 'media', 'scripts', 'test'];
const CODE = /\.(ts|mjs|cjs)$/;
/** Around each file in a prompt. */
const FENCE_TOKENS = 14;

/**
 * Writes code of about `tokens` tokens of this model into `folder`, each file edited a minute after the one before it,
 * and returns its files in that order.
 */
export async function writeRepository(modelPath: string, folder: string, tokens: number): Promise<string[]> {
  const gguf = await openGguf(modelPath);
  await gguf.close();
  const tokenizer = tokenizerFromMetadata(gguf.metadata);
  const names: string[] = [];
  let total = 0;
  for (const name of FOLDERS.flatMap(filesIn)) {
    const text = fs.readFileSync(name, 'utf8');
    const cost = tokenizer.encode(text).length + FENCE_TOKENS;
    if (total + cost > tokens) continue;
    total += cost;
    names.push(name);
    writeFile(path.join(folder, name), text);
  }
  const startS = Math.floor(Date.now() / 1000) - 60 * (names.length + 10);
  for (const [index, name] of names.entries()) {
    fs.utimesSync(path.join(folder, name), startS + 60 * index, startS + 60 * index);
  }
  return names;
}

function writeFile(file: string, text: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

function filesIn(top: string): string[] {
  if (!fs.existsSync(top)) return [];
  return fs
    .readdirSync(top, { recursive: true, encoding: 'utf8' })
    .filter((name) => CODE.test(name))
    .map((name) => path.join(top, name))
    .sort();
}
