import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { ensureModel } from './support/models';
import { FAST_MODEL } from './support/places';
import { type TempRepository, tempRepository } from './support/server';

interface Report {
  answer: string;
  model: string;
  ttftMs: number;
  totalFiles: number;
  included: { path: string }[];
}

/** `npm start`, as from a folder somewhere else than the checkout. */
async function npmStart(folder: string, ...args: string[]): Promise<{ report: Report; stderr: string }> {
  const { stdout, stderr } = await promisify(execFile)(
    'npm',
    ['start', '--silent', '--prefix', process.cwd(), '--', '--model', FAST_MODEL, '--json', ...args],
    // npm names the folder where it was started; one around this test would name its own.
    { cwd: folder, env: { ...process.env, INIT_CWD: folder } },
  );
  return { report: JSON.parse(stdout) as Report, stderr };
}

suite('npm start', () => {
  let repo: TempRepository;
  suiteSetup(async () => {
    await ensureModel(FAST_MODEL);
    repo = await tempRepository({ 'app/notes.md': '# Notes\n\nThe launch word is "marigold-41".\n' });
  });
  suiteTeardown(() => repo.dispose());

  test('asks the repository that is named, from where the user stands, and prints one object', async () => {
    const flags = ['--repo', 'app', '--max-tokens', '8', '--context', '1024'];
    const { report, stderr } = await npmStart(repo.path, ...flags, 'What is the launch word?');
    assert.equal(report.model, FAST_MODEL);
    assert.deepEqual(
      report.included.map((file) => file.path),
      ['notes.md'],
    );
    assert.ok(report.answer.length > 0);
    assert.ok(report.ttftMs > 0);
    assert.doesNotMatch(stderr, /\?/, 'the built-in question is not asked beside it');
  });

  test('asks a question of its own about the checkout when none is given', async () => {
    const { report, stderr } = await npmStart(repo.path, '--max-tokens', '8', '--context', '2048');
    assert.match(stderr, /^[A-Z][^\n]*\?\n/);
    assert.ok(report.totalFiles > 100, `${report.totalFiles} files`);
    assert.ok(report.included.length > 0);
    assert.ok(report.answer.length > 0);
    assert.equal(path.isAbsolute(report.included[0]!.path), false);
  });
});
