import assert from 'node:assert/strict';
import type { PromptPartText } from '../../../../protocol';
import { exportMarkdown, plainText } from '../../../../src/context-view/export-markdown';
import { ACCOUNT } from './samples';

const PARTS: PromptPartText[] = [
  { part: 'template', tokens: 3, pieces: ['<|im_start|>system\n'] },
  {
    part: 'files',
    path: 'odd\nname.md',
    tokens: 20,
    pieces: [
      '<file path="odd&#10;name.md">\n',
      '\n# 1. x\n````ts\nlet a;\n````\n<!-- pieces: 1 -->',
      '\n</file>\n',
    ],
  },
  { part: 'files', path: 'b.ts', tokens: 4, pieces: ['<file path="b.ts">\n', 'let b;\n', '</file>\n'] },
  { part: 'question', tokens: 2, pieces: ['Question: ', 'wh😀?'] },
];

/** The parts that a document was made of, by its own rules alone. */
function partsIn(markdown: string): { heading: string; pieces: string[] }[] {
  const found: { heading: string; pieces: string[] }[] = [];
  let rest = markdown;
  const head = /\n## \d+\. (.*)\n\n<!-- pieces: ([\d ]*) -->\n(`{3,})text\n/;
  for (let match = head.exec(rest); match; match = head.exec(rest)) {
    const [whole, heading = '', lengths = '', fence = ''] = match;
    let at = match.index + whole.length;
    const pieces = lengths.split(' ').map((length) => rest.slice(at, (at += Number(length))));
    assert.ok(rest.startsWith(`\n${fence}\n`, at), 'the fence ends where the text does');
    rest = rest.slice(at + fence.length + 1);
    found.push({ heading, pieces });
  }
  return found;
}

suite('the prompt outside of the product', () => {
  test('as plain text it is what was sent', () => {
    assert.equal(plainText(PARTS), PARTS.flatMap(({ pieces }) => pieces).join(''));
  });

  test('out of the document come the same pieces, whatever stands in them', () => {
    const parts = partsIn(exportMarkdown(ACCOUNT, PARTS));
    assert.deepEqual(
      parts.map(({ pieces }) => pieces),
      PARTS.map(({ pieces }) => pieces),
    );
    assert.deepEqual(
      parts.map(({ heading }) => heading),
      [
        'template (3 tokens)',
        'files: odd name.md (20 tokens)',
        'files: b.ts (4 tokens)',
        'question (2 tokens)',
      ],
    );
  });

  test('the document begins with the totals', () => {
    assert.match(
      exportMarkdown({ ...ACCOUNT, of: 'asked' }, PARTS),
      /^# Context of the last question\n\n31,200 of 32,768 tokens: 30 whole files, 5 by signatures, 2 by path; 3 left out\.\n/,
    );
  });
});
