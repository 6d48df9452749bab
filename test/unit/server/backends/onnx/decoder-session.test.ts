import assert from 'node:assert/strict';
import fs from 'node:fs';
import type { KvBuffers } from '../../../../../server/backends/onnx/kv-buffers';
import {
  goldenOf,
  loadTinyDecoder,
  makeTempDir,
  relativeError,
  TINY_MODELS,
  type TinyDecoder,
} from './tiny-models';

/** Float32 sums in another order than the double-precision golden. */
const EXACT = 1e-5;

suite('decoder against transformers', () => {
  const cacheDir = makeTempDir();
  const golden = goldenOf(TINY_MODELS[0]);
  const { tokens, vocabSize } = golden;
  const count = tokens.length;

  suiteTeardown(() => fs.rmSync(cacheDir, { recursive: true, force: true }));

  const lastRow = (logits: Float32Array) => logits.subarray((count - 1) * vocabSize);

  for (const model of TINY_MODELS) {
    suite(model, () => {
      const { logits } = goldenOf(model);
      let decoder: TinyDecoder;
      let kv: KvBuffers;

      suiteSetup(async () => {
        decoder = await loadTinyDecoder(model, cacheDir, 0);
      });
      suiteTeardown(() => decoder.session.dispose());
      setup(() => {
        kv = decoder.newKv();
      });

      /** Appends the tokens `from` to `to` in chunks; returns the logits of the last. */
      async function append(from: number, to: number, chunk: number): Promise<Float32Array> {
        let last: Float32Array = new Float32Array(0);
        for (let at = from; at < to; at += chunk) {
          last = await decoder.session.append(tokens.subarray(at, Math.min(at + chunk, to)), kv, 'last');
        }
        return last;
      }

      test('one prefill gives the logits of every position', async () => {
        const actual = await decoder.session.append(tokens, kv, 'all');
        const error = relativeError(actual, logits);
        assert.ok(error < EXACT, `relative error ${error}`);
      });

      for (const chunk of [1, 7, 16]) {
        test(`chunks of ${chunk} end at the same logits`, async () => {
          const error = relativeError(await append(0, count, chunk), lastRow(logits));
          assert.ok(error < EXACT, `relative error ${error}`);
          assert.equal(kv.lengthTokens, count);
        });
      }

      test('a chunk appended after single tokens sees them', async () => {
        await append(0, 9, 9);
        await append(9, 13, 1);
        const error = relativeError(await append(13, count, count), lastRow(logits));
        assert.ok(error < EXACT, `relative error ${error}`);
      });

      test('after a rewind nothing of the forgotten tokens is left', async () => {
        await append(0, 11, 11);
        await decoder.session.append(
          Int32Array.from({ length: 20 }, (_, i) => 90 - i),
          kv,
          'none',
        );
        kv.truncate(11);
        const error = relativeError(await append(11, count, 10), lastRow(logits));
        assert.ok(error < EXACT, `relative error ${error}`);
      });

      test('a call that wants no logits gets none, and its KV counts', async () => {
        const none = await decoder.session.append(tokens.subarray(0, count - 1), kv, 'none');
        assert.equal(none.length, 0);
        const error = relativeError(await append(count - 1, count, 1), lastRow(logits));
        assert.ok(error < EXACT, `relative error ${error}`);
      });

      test('buffers that grew hold the same KV', async () => {
        const long = Int32Array.from({ length: 600 }, (_, i) => (i * 31) % vocabSize);
        const wide = await loadTinyDecoder(model, cacheDir, 0, 640);
        try {
          const whole = wide.newKv();
          const expected = await wide.session.append(long, whole, 'last');
          const grown = wide.newKv();
          await wide.session.append(long.subarray(0, 100), grown, 'none');
          await wide.session.append(long.subarray(100, 300), grown, 'none');
          const error = relativeError(await wide.session.append(long.subarray(300), grown, 'last'), expected);
          assert.ok(error < EXACT, `relative error ${error}`);
        } finally {
          await wide.session.dispose();
        }
      });

      test('the same calls give the same bits', async () => {
        const first = await append(0, count, 16);
        kv = decoder.newKv();
        assert.deepEqual(await append(0, count, 16), first);
      });
    });
  }
});
