import assert from 'node:assert/strict';
import { QuestionHistory } from '../../../../media/chat/question-history';

suite('QuestionHistory', () => {
  test('goes back to the first question and forth to the empty box', () => {
    const history = new QuestionHistory();
    history.set(['one', 'two']);
    assert.equal(history.isRecalled, false);
    assert.equal(history.newer(), undefined);
    assert.equal(history.older(), 'two');
    assert.equal(history.older(), 'one');
    assert.equal(history.older(), undefined);
    assert.equal(history.newer(), 'two');
    assert.equal(history.newer(), '');
    assert.equal(history.isRecalled, false);
  });

  test('a new question starts from the end again', () => {
    const history = new QuestionHistory();
    history.set(['one']);
    history.older();
    history.set(['one', 'two']);
    assert.equal(history.older(), 'two');
  });

  test('no questions', () => assert.equal(new QuestionHistory().older(), undefined));
});
