import assert from 'node:assert/strict';
import { readableOutput, Tail } from '../../../../../src/chat/mentions/terminal-text';

suite('the output of a command', () => {
  for (const [what, raw, readable] of [
    ['colours', '\u001b[1;31merror\u001b[0m: no\r\n', 'error: no'],
    [
      'marks of shell integration',
      '\u001b]633;C\u0007one\r\n\u001b]633;D;1\u0007\u001b]633;P;Cwd=/x\u0007',
      'one',
    ],
    ['a title of the window', '\u001b]0;make: all\u0007built\r\n', 'built'],
    ['a link', '\u001b]8;;https://x.example\u0007text\u001b]8;;\u0007', 'text'],
    ['a line that was written over', '10%\r 20%\r100% done\r\n', '100% done'],
    ['characters taken back', 'abx\bc\r\n', 'abc'],
    ['a screen that was cleared', '\u001b[2J\u001b[Hnow', 'now'],
    ['many empty lines', 'a\r\n\r\n\r\n\r\nb\r\n', 'a\n\nb'],
    ['nothing', '\u001b]633;C\u0007', ''],
  ] as const) {
    test(`is read on the screen: ${what}`, () => assert.equal(readableOutput(raw), readable));
  }

  test('keeps its end, however much there is', () => {
    const tail = new Tail(10);
    tail.add('12345');
    assert.deepEqual([tail.value, tail.isCut], ['12345', false]);
    for (let i = 0; i < 1000; i++) tail.add(`line ${i}\n`);
    assert.deepEqual([tail.value, tail.isCut], ['\nline 999\n', true]);
  });
});
