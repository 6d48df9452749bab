import assert from 'node:assert/strict';
import { trueWithinTwoAttempts } from '../../e2e/truth/attempts';

function attemptsThat(...outcomes: (Error | undefined)[]) {
  let made = 0;
  const attempt = (): Promise<void> => {
    const outcome = outcomes[made++];
    return outcome ? Promise.reject(outcome) : Promise.resolve();
  };
  return { attempt, made: () => made };
}

suite('trueWithinTwoAttempts', () => {
  const wrong = new assert.AssertionError({ message: 'the answer does not say 12345' });

  test('asks once when the answer is right, twice when the first is wrong', async () => {
    const right = attemptsThat(undefined);
    await trueWithinTwoAttempts(right.attempt);
    assert.equal(right.made(), 1);
    const second = attemptsThat(wrong, undefined);
    await trueWithinTwoAttempts(second.attempt);
    assert.equal(second.made(), 2);
  });

  test('fails when both are wrong, and at once when the question was not answered at all', async () => {
    await assert.rejects(trueWithinTwoAttempts(attemptsThat(wrong, wrong).attempt), wrong);
    const broken = attemptsThat(new Error('the window closed'), undefined);
    await assert.rejects(trueWithinTwoAttempts(broken.attempt), /window closed/);
    assert.equal(broken.made(), 1);
  });
});
