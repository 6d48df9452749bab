import { strict as assert } from 'node:assert';
import type { ErrorCode } from '../../../../../protocol';
import { LongviewError } from '../../../../../server/errors';

/** Expects a LongviewError of this code whose message matches, with an action; returns it. */
export async function rejectsWith(
  work: Promise<unknown> | (() => unknown),
  code: ErrorCode,
  message: RegExp,
): Promise<LongviewError> {
  const error: unknown = await Promise.resolve()
    .then(typeof work === 'function' ? work : () => work)
    .then(
      () => assert.fail(`expected ${code}`),
      (thrown: unknown) => thrown,
    );
  assert.ok(error instanceof LongviewError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  assert.match(error.action, /^[A-Z].*\.$/);
  return error;
}
