import { spawn } from 'node:child_process';

/** When each file was committed last, in ms since the epoch, by its path below the folder. Empty without git. */
export type LastCommits = (folder: string) => Promise<ReadonlyMap<string, number>>;

/** Older ones say little about what is worked on. */
const MOST_COMMITS = 500;
const MOST_MS = 2000;
const MOST_BYTES = 8 * 1024 * 1024;
/** Begins a commit in the output; no path holds it. */
const COMMIT = '\0\0';

/**
 * Read-only, whatever the repository's own settings are: nothing is fetched, no other program is started, no lock is
 * taken.
 */
const ARGUMENTS = [
  '--no-pager',
  '--no-optional-locks',
  '-c',
  'protocol.allow=never',
  '-c',
  'log.showSignature=false',
  '-c',
  'core.fsmonitor=false',
  'log',
  `--max-count=${MOST_COMMITS}`,
  '--no-merges',
  '--no-renames',
  '--no-ext-diff',
  '--no-show-signature',
  '--name-only',
  '--relative',
  '-z',
  '--format=%x00%ct',
];

/**
 * The times of the last commits of files that were touched lately, from `git log`. What it has told when its time or its
 * output is at an end is taken. Where git is not installed, or the folder is in no repository, nothing is known.
 */
export const lastCommits: LastCommits = async (folder) => parseLog(await outputOf('git', folder));

/** @param log of `git log` with the arguments above; the last entry may be cut */
export function parseLog(log: string): Map<string, number> {
  const times = new Map<string, number>();
  for (const commit of `\0${log}`.split(COMMIT)) {
    const [time = '', first = '', ...others] = commit.split('\0');
    const committedAtMs = Number(time) * 1000;
    if (time === '' || !Number.isFinite(committedAtMs)) continue;
    // A line ends between the time and the names.
    for (const name of [first.replace(/^\n/, ''), ...others]) {
      // Clocks of committers differ, and the order of commits is what counts: the first one met is the last.
      if (name !== '' && !times.has(name)) times.set(name, committedAtMs);
    }
  }
  return times;
}

/** What the program says until it ends, or is ended. */
function outputOf(program: string, folder: string): Promise<string> {
  return new Promise((resolve) => {
    const environment = { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_NO_LAZY_FETCH: '1' };
    const git = spawn(program, ARGUMENTS, {
      cwd: folder,
      env: environment,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: MOST_MS,
      windowsHide: true,
    });
    const pieces: Buffer[] = [];
    let bytes = 0;
    git.stdout.on('data', (piece: Buffer) => {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > MOST_BYTES) git.kill();
    });
    const end = () => resolve(Buffer.concat(pieces).toString());
    // Not installed, or no such folder.
    git.on('error', end);
    git.on('close', end);
  });
}
