import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { type Asked, askAbout, type Question, type SourceFile } from './questions';
import sets from './sets.json';

/** A published package at one version, as the registry names its archive, with its checksum. */
export interface PinnedRepository {
  id: string;
  source: 'npm' | 'pypi';
  package: string;
  version: string;
  file: string;
  sha256: string;
  /** Inside the archive. */
  folder: string;
  extensions: string[];
}

export type SetName = keyof typeof sets;

export interface Repository {
  id: string;
  version: string;
  /** Absolute. */
  root: string;
  files: SourceFile[];
  questions: Question[];
}

const WORK = path.resolve('out', 'bench', 'recall');
/** All files have one time: what was edited last is no hint. */
const EDITED_AT_S = 1_700_000_000;
const NOISE_S = 60 * 24 * 60 * 60;
const MOST_CHARS = 1_000_000;

export function workFolder(): string {
  fs.mkdirSync(WORK, { recursive: true });
  return WORK;
}

/** When a file was edited last, in seconds since the epoch. */
export type EditTimes = (file: string) => number;

export const oneTime: EditTimes = () => EDITED_AT_S;

/** Times that say nothing of the answer: what recency costs where it is no hint at all. */
export const noise: EditTimes = (file) =>
  EDITED_AT_S - (createHash('sha256').update(file).digest().readUInt32LE() % NOISE_S);

/** The repositories of a set as they are searched, each in a folder of its own. Archives once fetched stay. */
export function repositoriesOf(set: SetName, questionsEach: number, editTimes = oneTime): Repository[] {
  // A JSON module's strings have no literal types.
  return (sets[set] as PinnedRepository[]).map((pinned) => {
    const { questions, files } = askAbout(pinned.id, sourcesOf(pinned), questionsEach);
    return {
      id: pinned.id,
      version: pinned.version,
      root: write(pinned.id, files, editTimes),
      files,
      questions,
    };
  });
}

function write(id: string, files: Asked['files'], editTimes: EditTimes): string {
  const root = path.join(workFolder(), 'repositories', id);
  fs.rmSync(root, { recursive: true, force: true });
  for (const { path: name, text } of files) {
    const file = path.join(root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    fs.utimesSync(file, editTimes(name), editTimes(name));
  }
  return root;
}

function sourcesOf(pinned: PinnedRepository): SourceFile[] {
  const folder = fs.mkdtempSync(path.join(workFolder(), 'unpacked-'));
  try {
    execFileSync('tar', ['-xzf', archiveOf(pinned), '-C', folder]);
    const root = path.join(folder, pinned.folder);
    return fs
      .readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => pinned.extensions.includes(path.extname(name)))
      .sort()
      .map((name) => ({ path: name, text: fs.readFileSync(path.join(root, name), 'utf8') }))
      .filter(({ text }) => text.length > 0 && text.length <= MOST_CHARS);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/** By the registries' own clients; pip asks a source package for its metadata, nothing is installed. */
function archiveOf({ source, package: name, version, file, sha256 }: PinnedRepository): string {
  const archive = path.join(workFolder(), file);
  if (!fs.existsSync(archive)) {
    const [command, args] =
      source === 'npm'
        ? ['npm', ['pack', `${name}@${version}`, '--silent']]
        : [
            'python3',
            ['-m', 'pip', 'download', '--quiet', '--no-deps', '--no-binary', name, `${name}==${version}`],
          ];
    execFileSync(command, args, { cwd: workFolder(), stdio: ['ignore', 'ignore', 'inherit'] });
  }
  const found = createHash('sha256').update(fs.readFileSync(archive)).digest('hex');
  if (found !== sha256) throw new Error(`${file} has the checksum ${found} instead of ${sha256}`);
  return archive;
}
