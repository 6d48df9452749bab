import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Random } from './random';
import { type PinnedRepository, type Planting, plantingsOf, SET_NAMES } from './sets';

export interface SourceFile {
  path: string;
  text: string;
}

/** Text of a prefix of 128,000 tokens, with room to spare: code has 3 to 4 characters a token. */
const RUN_CHARS = 700_000;
/** Shorter files are re-exports; longer ones would be most of a short prefix. */
const FILE_CHARS = { least: 400, most: 60_000 };

const fileOf = (corpus: string, { repository, seed }: Planting): string =>
  path.join(corpus, `${repository.id}-${seed}.json`);

/** Fetches what `rounds` rounds of both sets need into `corpus`; what is there stays. */
export function fetchCorpus(corpus: string, rounds: number): void {
  fs.mkdirSync(corpus, { recursive: true });
  for (const planting of SET_NAMES.flatMap((set) => plantingsOf(set, rounds))) {
    const file = fileOf(corpus, planting);
    if (fs.existsSync(file)) continue;
    const files = runOf(planting, unpack(planting.repository));
    fs.writeFileSync(file, JSON.stringify(files));
    console.log(`${file}: ${files.length} files`);
  }
}

/** The files of a planting, in order. @throws Error where they were not fetched */
export function readCorpus(corpus: string, planting: Planting): SourceFile[] {
  return JSON.parse(fs.readFileSync(fileOf(corpus, planting), 'utf8')) as SourceFile[];
}

/** Files in the order of their paths, from one that the seed chooses on, round and round. */
function runOf({ repository, seed }: Planting, files: SourceFile[]): SourceFile[] {
  const start = new Random(`${repository.id}/${seed}/start`).below(files.length);
  const run: SourceFile[] = [];
  let chars = 0;
  for (let i = 0; i < files.length && chars < RUN_CHARS; i++) {
    const file = files[(start + i) % files.length];
    if (!file) break;
    run.push(file);
    chars += file.text.length;
  }
  return run;
}

function unpack(repository: PinnedRepository): SourceFile[] {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-quality-'));
  try {
    download(repository, folder);
    const archive = path.join(folder, repository.file);
    const sha256 = createHash('sha256').update(fs.readFileSync(archive)).digest('hex');
    if (sha256 !== repository.sha256) {
      throw new Error(`${repository.file} has the checksum ${sha256} instead of ${repository.sha256}`);
    }
    execFileSync('tar', ['-xzf', archive, '-C', folder]);
    return sourcesIn(path.join(folder, repository.folder), repository.extensions);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/** By the registries' own clients; pip asks a source package for its metadata, nothing is installed. */
function download({ source, package: name, version }: PinnedRepository, folder: string): void {
  const [command, args] =
    source === 'npm'
      ? ['npm', ['pack', `${name}@${version}`, '--silent']]
      : [
          'python3',
          ['-m', 'pip', 'download', '--quiet', '--no-deps', '--no-binary', name, `${name}==${version}`],
        ];
  execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

function sourcesIn(folder: string, extensions: string[]): SourceFile[] {
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => extensions.some((extension) => name.endsWith(extension)) && !name.endsWith('.d.ts'))
    .sort()
    .map((name) => ({ path: name, text: fs.readFileSync(path.join(folder, name), 'utf8') }))
    .filter(({ text }) => text.length >= FILE_CHARS.least && text.length <= FILE_CHARS.most);
}
