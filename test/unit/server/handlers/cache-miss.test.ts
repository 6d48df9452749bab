import assert from 'node:assert/strict';
import type { CacheReport } from '../../../../server/engine/prefix-cache/cache-report';
import { agoText, cacheMissText } from '../../../../server/handlers/cache-miss';
import { PromptMemory } from '../../../../server/handlers/prompt-memory';
import type { PartLabel, PromptSpan } from '../../../../server/prompt/parts';

const NOW = 1_000_000;

/** A prompt of ten tokens for each part. */
function spans(...labels: PartLabel[]): PromptSpan[] {
  return labels.map((label, index) => ({ startToken: index * 10, label }));
}
const file = (path: string, editedAtMs = 0): PartLabel => ({ kind: 'file', path, editedAtMs });
const [frame, tree, question] = [{ kind: 'template' }, { kind: 'tree' }, { kind: 'question' }] as const;
const report = (cachedTokens: number, reason: CacheReport['reason'] = 'changed'): CacheReport => ({
  cachedTokens,
  source: 'device',
  reason,
  tokensReadAnew: 0,
});

suite('why the cache was missed', () => {
  const before = spans(frame, tree, file('src/a.ts'), file('src/b.ts'), frame, question);

  test('nothing is missed when only the question is new', () => {
    assert.equal(cacheMissText(report(40), before, before, NOW), undefined);
    assert.equal(cacheMissText(report(55), before, before, NOW), undefined);
    assert.match(cacheMissText(report(39), before, before, NOW) ?? '', /changed block/);
  });

  test('what is kept and comes back more slowly than it is computed is told with both times', () => {
    const slower = { computeMs: 870, restoreMs: 3300 };
    assert.equal(
      cacheMissText({ ...report(24), slower }, before, before, NOW),
      'computing it is faster here than bringing back what is kept of it: about 0.9s instead of 3.3s',
    );
    assert.equal(cacheMissText({ ...report(40), slower }, before, before, NOW), undefined);
  });

  test('an edited file is named, with the time, where it stood before', () => {
    const moved = spans(frame, tree, file('src/b.ts'), file('src/a.ts', NOW - 3000), frame, question);
    assert.equal(
      cacheMissText(report(24), moved, before, NOW),
      'first changed block: src/a.ts, edited 3 s ago',
    );
    const last = spans(frame, tree, file('src/a.ts'), file('src/b.ts', NOW - 130_000), frame, question);
    assert.equal(
      cacheMissText(report(33), last, before, NOW),
      'first changed block: src/b.ts, edited 2 min ago',
    );
  });

  test('a file that went, a file that came, another tree', () => {
    const gone = spans(frame, tree, file('src/b.ts'), frame, question);
    assert.equal(
      cacheMissText(report(21), gone, before, NOW),
      'first changed block: src/a.ts, no longer there',
    );
    const added = spans(frame, tree, file('lib/0.ts'), file('src/a.ts'), file('src/b.ts'), frame, question);
    assert.equal(
      cacheMissText(report(21), added, before, NOW),
      'first changed block: lib/0.ts, not there before',
    );
    assert.equal(cacheMissText(report(12), before, before, NOW), 'first changed block: the tree of folders');
  });

  test('every other reason is told in words', () => {
    for (const [reason, words] of [
      ['loaded', /first prompt since the model was loaded/],
      ['evicted', /make room/],
      ['attention', /another attention/],
      ['damaged', /damaged/],
    ] as const) {
      assert.match(cacheMissText(report(0, reason), before, undefined, NOW) ?? '', words);
    }
  });

  test('times are short, and never in the future', () => {
    assert.deepEqual([-5000, 0, 3000, 120_000, 3_600_000 * 3, 86_400_000 * 9].map(agoText), [
      '0 s ago',
      '0 s ago',
      '3 s ago',
      '2 min ago',
      '3 h ago',
      '9 days ago',
    ]);
  });

  test('the parts of many prompts are remembered, not of all', () => {
    const memory = new PromptMemory();
    for (let id = 0; id < 100; id++) memory.note(id, spans(frame));
    assert.equal(memory.spansOf(0), undefined);
    assert.equal(memory.spansOf(99)?.length, 1);
    assert.equal(memory.spansOf(undefined), undefined);
  });
});
