import assert from 'node:assert/strict';
import { listFiles } from '../../../../src/workspace/list-files';
import { Scratch } from './scratch';

suite('list-files', () => {
  for (const [what, name, reason] of [
    ['is not there', 'no-such-program', /cannot be started \(.*ENOENT\).*Reinstall Longview/],
    ['may not be executed', 'a.ts', /cannot be started \(.*EACCES\).*make that file executable/],
  ] as const)
    test(`a ripgrep that ${what} is an error in words`, async () => {
      const repo = new Scratch({ 'a.ts': 'let a;\n' });
      try {
        const listing = listFiles(repo.at(name), repo.root, () => undefined, new AbortController().signal);
        await assert.rejects(listing.next(), reason);
      } finally {
        repo.remove();
      }
    });
});
