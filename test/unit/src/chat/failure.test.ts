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

  test('what may hold a secret is offered to be sent anyway', () => {
    const failure = failureOf(serverError('secretFound', { path: 'a.env', rules: ['aws', 'github'] }));
    assert.deepEqual(failure.secrets, { path: 'a.env', rules: ['aws', 'github'] });
    assert.equal(failure.buttons[0], 'allowSecrets');
  });

  test('a model file of the user’s own is not offered for download', () => {
    const failure = failureOf(serverError('modelMissing', { path: '/models/own.gguf' }));
    assert.equal(failure.modelId, undefined);
    assert.deepEqual(failure.buttons, ['openSettings', 'retry']);
  });

  test('a context that fits is offered, and the CPU where the GPU failed', () => {
    const short = failureOf(serverError('outOfMemory', { device: 'NVIDIA', fittingTokens: 20_480 }));
    assert.deepEqual(short.buttons, ['useSmallerContext', 'useCpu', 'openSettings']);
    assert.equal(short.contextTokens, 20_480);
    const full = failureOf(serverError('outOfMemory', { device: 'NVIDIA' }));
    assert.deepEqual([full.buttons, full.contextTokens], [['retry', 'useCpu', 'openSettings'], undefined]);
    const fault = failureOf(serverError('engineCrashed', { how: 'exit code 70', device: 'cuda' }));
    assert.deepEqual(fault.buttons, ['retry', 'useCpu', 'showLog']);
    const refused = failureOf(serverError('engineFailed', { device: 'NVIDIA' }));
    assert.deepEqual(refused.buttons, ['retry', 'useCpu', 'showLog']);
    assert.ok(!failureOf(serverError('engineFailed')).buttons.includes('useCpu'));
  });

  test('a context below what the setting takes is not offered', () => {
    const failure = failureOf(serverError('outOfMemory', { device: 'NVIDIA', fittingTokens: 100 }));
    assert.equal(failure.contextTokens, undefined);
    assert.ok(!failure.buttons.includes('useSmallerContext'));
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
