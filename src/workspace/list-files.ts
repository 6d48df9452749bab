import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { messageOf, type ReportProblem } from './problem';

const STDERR_LIMIT_CHARS = 16_384;

/**
 * Relative paths (with `/`) of the files below `root` that its ignore files leave in: nested `.gitignore`,
 * `.ignore` and `.rgignore`, `.git/info/exclude` and the user's global one. Hidden files count, `.git` does
 * not, symbolic links are not followed. ripgrep walks in a process of its own; the paths come as they are found.
 *
 * Paths that cannot be read are reported and left out. Ends early, by throwing `signal.reason`, when aborted.
 *
 * @throws Error when `binary` cannot be started
 */
export async function* listFiles(
  binary: string,
  root: string,
  report: ReportProblem,
  signal: AbortSignal,
): AsyncGenerator<string[]> {
  signal.throwIfAborted();
  const args = [
    '--files',
    '--null',
    '--hidden',
    '--no-config',
    ...((await insideGitRepository(root)) ? [] : OUTSIDE_OF_GIT),
    '--path-separator=/',
    '--glob=!.git',
  ];
  const child = spawn(binary, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
  const stop = () => child.kill();
  signal.addEventListener('abort', stop, { once: true });
  // A failed start ends the output too, and is told after it: until then nobody waits for it.
  const failure = once(child, 'close').then(
    () => undefined,
    (error: unknown) => cannotStart(binary, error),
  );
  const complaints = collectText(child.stderr);
  try {
    yield* splitAtNull(child.stdout);
    const failed = await failure;
    signal.throwIfAborted();
    if (failed) throw failed;
    for (const line of (await complaints).split('\n')) {
      if (line.trim()) report({ root, message: line.trim().replace(/^rg: /, '') });
    }
  } finally {
    signal.removeEventListener('abort', stop);
    child.kill();
  }
}

function cannotStart(binary: string, cause: unknown): Error {
  return new Error(
    `Files cannot be listed: ${binary} cannot be started (${messageOf(cause)}). ` +
      'Reinstall Longview, or make that file executable.',
    { cause },
  );
}

/**
 * Outside of a repository `.gitignore` counts all the same, but not those above the root: one in the home
 * folder, where people keep dotfiles, often ignores everything. Inside of one neither flag may be given,
 * because ripgrep then no longer sees that a submodule starts anew.
 */
const OUTSIDE_OF_GIT = ['--no-require-git', '--no-ignore-parent'];

async function insideGitRepository(root: string): Promise<boolean> {
  for (let dir = root; ; dir = path.dirname(dir)) {
    const found = await stat(path.join(dir, '.git')).then(
      () => true,
      () => false,
    );
    if (found) return true;
    if (path.dirname(dir) === dir) return false;
  }
}

/** NUL ends a path, because a newline may be part of one. */
async function* splitAtNull(stream: Readable): AsyncGenerator<string[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const bytes = rest.length ? Buffer.concat([rest, chunk]) : chunk;
    const end = bytes.lastIndexOf(0);
    if (end >= 0) yield bytes.toString('utf8', 0, end).split('\0');
    rest = bytes.subarray(end + 1);
  }
}

async function collectText(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (text.length < STDERR_LIMIT_CHARS) text += chunk.toString('utf8');
  }
  return text;
}
