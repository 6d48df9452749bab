import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

/** Root of the mean squared difference. */
export function rmsError(ours: ArrayLike<number>, exact: ArrayLike<number>): number {
  assert.equal(ours.length, exact.length);
  let sum = 0;
  for (let i = 0; i < ours.length; i++) sum += ((ours[i] ?? Number.NaN) - (exact[i] ?? 0)) ** 2;
  return Math.sqrt(sum / ours.length);
}

export function checksumOf(values: Float32Array): string {
  return createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex').slice(0, 12);
}

export function assertSameBits(a: Float32Array, b: Float32Array, what: string): void {
  const at = a.findIndex((value, i) => !Object.is(value, b[i]));
  assert.equal(at, -1, `${what}: logit ${at} is ${a[at]} and ${b[at]}; largest difference ${largest(a, b)}`);
}

/** The failure of `run`, which must have `code`. */
export async function failureOf(run: Promise<unknown>, code: string): Promise<Error> {
  const error = await run.then(
    () => assert.fail(`it succeeded instead of failing with ${code}`),
    (reason: unknown) => reason as Error & { code?: string },
  );
  assert.equal(error.code, code, error.message);
  return error;
}

function largest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}
