import assert from 'node:assert/strict';
import { blockEnd } from '../../../../server/context/signatures/block-end';

suite('blockEnd', () => {
  for (const [what, text, start, end] of [
    ['braces', 'function a() {\n  b();\n}\nc();', 1, 3],
    ['indentation alone', 'def a():\n    b()\n\n    c()\n\nd()', 1, 4],
    ['a brace on a line of its own', 'void a()\n{\n  b();\n}\nc();', 1, 4],
    ['an else', 'if (a) {\n  b();\n} else {\n  c();\n}\nd();', 1, 5],
    ['a keyword', 'def a\n  b\nend\nc', 1, 3],
    ['one line', 'const a = 1;\nconst b = 2;', 1, 1],
    ['the last line', 'const a = 1;\nconst b = 2;', 2, 2],
    ['a block within', 'class A {\n  b() {\n    c();\n  }\n  d() {}\n}', 2, 4],
    ['parameters over several lines', 'function a(\n  b,\n) {\n  c();\n}\nd();', 1, 5],
  ] as const) {
    test(what, () => assert.equal(blockEnd(text.split('\n'), start), end));
  }
});
