import assert from 'node:assert/strict';
import { attachmentCountText, attachmentRefusal } from '../../../protocol';

suite('attachments in words', () => {
  test('what one takes', () => {
    assert.equal(attachmentCountText({ tokens: 1 }), '1 token');
    assert.equal(attachmentCountText({ tokens: 1234 }), '1,234 tokens');
    const leftOut = [{ path: 'a.png', reason: 'binary' } as const];
    assert.equal(attachmentCountText({ tokens: 9, files: 1, leftOut }), '1 file, 9 tokens; 1 left out');
    assert.equal(
      attachmentCountText({ tokens: 20_000, isLeast: true, files: 900 }),
      '900 files, more than 20,000 tokens',
    );
    assert.equal(attachmentCountText({ problem: 'x' }), '');
  });

  test('why a question cannot be sent', () => {
    const fits = { counts: [{ tokens: 9 }], neededTokens: 100, budgetTokens: 100 };
    assert.equal(attachmentRefusal(fits, 'Help.'), undefined);
    const tooMuch = 'The question with what is attached needs 101 tokens; 100 fit. Help.';
    assert.equal(attachmentRefusal({ ...fits, neededTokens: 101 }, 'Help.'), tooMuch);
    const counts = [{ tokens: 9, isLeast: true }];
    assert.match(
      attachmentRefusal({ ...fits, counts, neededTokens: 101 }, '') ?? '',
      /needs more than 101 tokens/,
    );
    assert.equal(
      attachmentRefusal({ ...fits, counts: [{ problem: 'It is binary.' }] }, 'Help.'),
      'It is binary.',
    );
  });
});
