import assert from 'node:assert/strict';
import { absolutePathOf, repoPathOf } from '../../../../src/chat/repo-paths';

const one = [{ name: 'app', path: '/w/app' }];
const two = [...one, { name: 'lib', path: '/w/lib' }];

suite('paths of answers', () => {
  test('one folder: relative to it', () => {
    assert.equal(repoPathOf(one, '/w/app/src/a.ts'), 'src/a.ts');
    assert.equal(absolutePathOf(one, 'src/a.ts'), '/w/app/src/a.ts');
  });

  test('several folders: with the name of the folder before', () => {
    assert.equal(repoPathOf(two, '/w/lib/a.ts'), 'lib/a.ts');
    assert.equal(absolutePathOf(two, 'lib/a.ts'), '/w/lib/a.ts');
    assert.equal(absolutePathOf(two, 'app/lib/a.ts'), '/w/app/lib/a.ts');
    assert.equal(absolutePathOf(two, 'other/a.ts'), undefined);
  });

  test('no place outside of the folders', () => {
    assert.equal(repoPathOf(two, '/etc/passwd'), undefined);
    for (const path of ['../../etc/passwd', '/etc/passwd', 'src/../../x', '', '.']) {
      assert.equal(absolutePathOf(one, path), undefined, path);
    }
    assert.equal(absolutePathOf(two, 'lib/../app/a.ts'), undefined);
    assert.equal(absolutePathOf([], 'a.ts'), undefined);
  });
});
