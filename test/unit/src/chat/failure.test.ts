import assert from 'node:assert/strict';
import { ERROR_CODES } from '../../../../protocol';
import { failureOf } from '../../../../src/chat/failure';
import { downloadOffer, modelInQuestion } from '../../../../src/chat/model-offer';
import { MODEL, serverError } from './samples';

suite('failures in the view', () => {
  for (const code of ERROR_CODES) {
    test(`${code}: says what is wrong and what helps, with a button`, () => {
      const failure = failureOf(serverError(code));
      assert.equal(failure.code, code);
      assert.equal(failure.message, `message of ${code}`);
      assert.equal(failure.action, `Mend ${code}.`);
      assert.ok(failure.buttons.length > 0);
    });
  }

  test('keeps the model that the failure is about', () => {
    assert.equal(failureOf(serverError('modelMissing', { id: 'small' })).modelId, 'small');
  });

  test('a model file of the user’s own is not offered for download', () => {
    const failure = failureOf(serverError('modelMissing', { path: '/models/own.gguf' }));
    assert.equal(failure.modelId, undefined);
    assert.deepEqual(failure.buttons, ['openSettings', 'retry']);
  });

  for (const thrown of [new Error('pipe closed'), 'pipe closed', serverError('notACode')]) {
    test(`anything else that is thrown is an internal failure: ${String(thrown)}`, () => {
      const failure = failureOf(thrown);
      assert.equal(failure.code, 'internal');
      assert.match(failure.message, /pipe closed|message of notACode/);
      assert.ok(failure.buttons.includes('showLog'));
    });
  }
});

suite('offers of a model', () => {
  test('a model with one source of its own only', () => {
    const own = MODEL.sources.filter(({ thirdParty }) => !thirdParty);
    const { action } = downloadOffer({ ...MODEL, sources: own });
    assert.equal(action, 'Download it from makers/small to get the answer; the question waits.');
  });

  test('names every package of third parties that may come into question', () => {
    assert.match(downloadOffer(MODEL).action, /small-part-1 and small-part-2\.$/);
  });

  test('the named model, else the default one', () => {
    const other = { ...MODEL, id: 'other', isDefault: false };
    assert.equal(modelInQuestion([MODEL, other], 'other'), other);
    assert.equal(modelInQuestion([other, MODEL], undefined), MODEL);
    assert.equal(modelInQuestion([other], 'unknown'), undefined);
  });
});
