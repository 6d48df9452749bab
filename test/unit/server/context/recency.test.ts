import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ManifestEntry } from '../../../../protocol';
import { queryOf } from '../../../../server/context/ranking/question-terms';
import { type LastCommits, lastCommits, parseLog } from '../../../../server/context/recency/last-commits';
import { Repository } from '../../../../server/context/repository';
import { FakeSource } from './fake-source';

const DAY_MS = 24 * 60 * 60 * 1000;
const GIT = 'git';

suite('recency', () => {
  suite('of commits', () => {
    let folder: string;
    setup(() => {
      folder = fs.mkdtempSync(path.join(os.tmpdir(), 'longview-recency-'));
    });
    teardown(() => fs.rmSync(folder, { recursive: true, force: true }));

    const git = (...args: string[]) =>
      execFileSync(GIT, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    function commit(day: number, ...files: string[]) {
      for (const file of files) {
        fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
        fs.appendFileSync(path.join(folder, file), `day ${day}\n`);
      }
      git('add', '.');
      const date = `2024-01-${String(day).padStart(2, '0')}T12:00:00Z`;
      const env = { ...process.env, GIT_COMMITTER_DATE: date, GIT_AUTHOR_DATE: date };
      const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'commit.gpgSign=false'];
      execFileSync(GIT, [...who, 'commit', '-qm', `day ${day}`], { cwd: folder, env });
    }
    const at = (day: number) => Date.UTC(2024, 0, day, 12);

    test('the last commit of each file, whatever its name, below the folder that is asked for', async () => {
      git('init', '-q');
      commit(1, 'a.ts', 'sub/two\nlines.ts', 'sub/🦭.ts');
      commit(2, 'b.ts');
      commit(5, 'a.ts', 'sub/deep/c.ts');
      assert.deepEqual(
        await lastCommits(folder),
        new Map([
          ['a.ts', at(5)],
          ['sub/deep/c.ts', at(5)],
          ['b.ts', at(2)],
          ['sub/two\nlines.ts', at(1)],
          ['sub/🦭.ts', at(1)],
        ]),
      );
      assert.deepEqual(
        await lastCommits(path.join(folder, 'sub')),
        new Map([
          ['deep/c.ts', at(5)],
          ['two\nlines.ts', at(1)],
          ['🦭.ts', at(1)],
        ]),
      );
    });

    test('no repository, no commit, no folder: nothing is known, and nothing fails', async () => {
      assert.equal((await lastCommits(path.join(folder, 'gone'))).size, 0);
      assert.equal((await lastCommits(os.tmpdir())).size, 0);
      git('init', '-q');
      assert.equal((await lastCommits(folder)).size, 0);
    });

    test('the settings of a repository start no program', async () => {
      git('init', '-q');
      commit(1, 'a.ts');
      const trap = path.join(folder, 'trap.sh');
      const sprung = path.join(folder, 'sprung');
      fs.writeFileSync(trap, `#!/bin/sh\ntouch '${sprung}'\n`, { mode: 0o700 });
      for (const key of ['gpg.program', 'core.fsmonitor', 'core.pager', 'diff.external', 'pager.log'])
        git('config', key, trap);
      git('config', 'log.showSignature', 'true');
      assert.deepEqual(await lastCommits(folder), new Map([['a.ts', at(1)]]));
      assert.ok(!fs.existsSync(sprung));
    });

    test('what is cut, or strange, is taken as far as it goes', () => {
      assert.deepEqual(parseLog(''), new Map());
      assert.deepEqual(parseLog('\u0000170'), new Map());
      assert.deepEqual(
        parseLog(
          '\u0000100\u0000\na\u0000\u000050\u0000\u0000x\u0000\nq\u0000\u000040\u0000\nb\u0000a\u0000c',
        ),
        new Map([
          ['a', 100_000],
          ['b', 40_000],
          ['c', 40_000],
        ]),
      );
    });
  });

  suite('in the ranking', () => {
    let source: FakeSource;
    setup(() => {
      source = new FakeSource();
    });

    async function rank(
      question: string,
      commits?: LastCommits,
      mtimeMs: (file: string) => number = () => 1000,
    ) {
      const repository = new Repository(source, { textCacheBytes: 1e6, lastCommits: commits });
      const upserts: ManifestEntry[] = [...source.files.entries()].map(([file, { bytes }]) => ({
        root: 0,
        path: file.slice(3),
        sizeBytes: bytes.length,
        mtimeMs: mtimeMs(file.slice(3)),
      }));
      for (const { path: file, mtimeMs: time } of upserts) source.files.get(`/w/${file}`)!.mtimeMs = time;
      const roots = [{ name: 'w', path: '/w' }];
      repository.apply({ mode: 'full', revision: 1, last: true, roots, upserts, removals: [] });
      await repository.refresh(() => undefined, new AbortController().signal);
      return repository.rank(queryOf(question)).map(({ path: file }) => file);
    }
    const commitsOf = (days: Record<string, number>) => () =>
      Promise.resolve(new Map(Object.entries(days).map(([file, day]) => [file, day * DAY_MS])));

    test('of two that fit alike, the one worked on last comes first; the better fit stays before both', async () => {
      for (const name of ['a.ts', 'b.ts', 'c.ts']) source.put(`/w/${name}`, 'the walrus swims');
      source.put('/w/best.ts', 'walrus walrus walrus swims');
      assert.deepEqual(await rank('walrus'), ['best.ts', 'a.ts', 'b.ts', 'c.ts']);
      const commits = commitsOf({ 'b.ts': 400, 'c.ts': 390, 'a.ts': 10 });
      assert.deepEqual(await rank('walrus', commits), ['best.ts', 'b.ts', 'c.ts', 'a.ts']);
    });

    test('without git the times of the files count, in whole days', async () => {
      for (const name of ['a.ts', 'b.ts', 'c.ts']) source.put(`/w/${name}`, 'walrus');
      const days: Record<string, number> = { 'a.ts': 100, 'b.ts': 130, 'c.ts': 129.9 };
      const time = (file: string) => (days[file] ?? 0) * DAY_MS;
      assert.deepEqual(await rank('walrus', undefined, time), ['b.ts', 'c.ts', 'a.ts']);
      assert.deepEqual(await rank('walrus', commitsOf({}), time), ['b.ts', 'c.ts', 'a.ts']);
      days['b.ts'] = 129.8;
      assert.deepEqual(await rank('walrus', undefined, time), ['b.ts', 'c.ts', 'a.ts'], 'the same day');
    });
  });
});
