import assert from 'node:assert/strict';
import { type ContextChoices, NO_CHOICES } from '../../../../protocol';
import { Choices } from '../../../../server/context/choices';

suite('choices', () => {
  const choices = (some: Partial<ContextChoices>) => new Choices({ ...NO_CHOICES, ...some });

  test('the longest rule that holds for a file decides, and in doubt it is not sent', () => {
    const rules = choices({
      pinned: ['src/', 'docs/a.md', 'both.ts'],
      excluded: ['docs/', 'src/old/', 'both.ts'],
    });
    const of = (path: string) => rules.of(path);
    assert.equal(of('src/a.ts'), 'pinned');
    assert.equal(of('src/old/deep/a.ts'), 'excluded');
    assert.equal(of('docs/a.md'), 'pinned');
    assert.equal(of('docs/b.md'), 'excluded');
    assert.equal(of('both.ts'), 'excluded');
    assert.equal(of('srcs/a.ts'), undefined);
    assert.equal(of('src'), undefined, 'a file of that name is not the folder');
    assert.deepEqual(rules.pinnedFiles, ['docs/a.md']);
    assert.equal(choices({}).of('src/a.ts'), undefined);
  });

  test('a decision about secrets holds for its file, its rules, and so many of each', () => {
    const rules = choices({ allowedSecrets: [{ path: 'a.env', rules: ['aws', 'github'] }] });
    const found = (...names: string[]) => names.map((rule, at) => ({ rule, line: at + 1 }));
    assert.ok(rules.allows('a.env', found('aws')));
    assert.ok(rules.allows('a.env', found('github', 'aws')), 'wherever they stand by now');
    assert.ok(!rules.allows('a.env', found('aws', 'aws')), 'another one asks again');
    assert.ok(!rules.allows('a.env', found('slack')));
    assert.ok(!rules.allows('b.env', found('aws')));
    assert.ok(choices({ allowAllSecrets: true }).allows('b.env', found('aws')));
  });
});
