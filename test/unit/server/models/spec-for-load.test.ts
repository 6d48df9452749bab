import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { checkContext, longestContext } from '../../../../server/models/context-limit';
import { openGguf } from '../../../../server/models/gguf/open-gguf';
import { type SpecForLoad, specForLoad } from '../../../../server/models/spec-for-load';
import { rejectsWith } from './support/errors';
import { useTempFolder } from './support/temp-folder';

const FIXTURES = path.join(process.cwd(), 'test/fixtures/engine');
/** Trained for 1,024 tokens. */
const PLAIN = path.join(FIXTURES, 'qwen2-tied-mixed.gguf');
const LLAMA3 = path.join(FIXTURES, 'llama3-scaled-q8.gguf');

async function prepared(file: string, contextTokens: number, yarnFactor?: number): Promise<SpecForLoad> {
  const gguf = await openGguf(file);
  try {
    return await specForLoad(gguf, { contextTokens, ...(yarnFactor !== undefined && { yarnFactor }) });
  } finally {
    await gguf.close();
  }
}

suite('the positions of a load', () => {
  const folder = useTempFolder();

  test('stay as they are up to the trained context, also where YaRN is allowed', async () => {
    const { spec, notices } = await prepared(PLAIN, 1024, 4);
    assert.deepEqual([spec.yarn, notices], [undefined, []]);
  });

  test('are stretched by the whole factor beyond it, and that is said', async () => {
    const { spec, notices } = await prepared(PLAIN, 1025, 4);
    assert.deepEqual([spec.yarn?.factor, spec.yarn?.originalContextTokens], [4, 1024]);
    assert.match(notices.join(), /^YaRN factor 4: .*longer than the 1024 tokens/);
  });

  test('end where YaRN ends, and at the trained context where it is not allowed', async () => {
    await rejectsWith(() => prepared(PLAIN, 4097, 4), 'contextTooLarge', /4097 .* at most 4096 with YaRN/);
    await rejectsWith(() => prepared(PLAIN, 1025), 'contextTooLarge', /1025 .* trained for 1024/);
  });

  test('that are scaled in the file are not scaled again', async () => {
    const { spec } = await prepared(LLAMA3, 1024, 4);
    assert.equal(spec.ropeDivisors?.length, spec.headDim / 2);
    assert.equal(spec.ropeDivisors[0], 1, 'the fastest pair is kept');
    assert.equal(spec.ropeDivisors.at(-1), 8, 'the slowest is slowed by the factor');
    await rejectsWith(() => prepared(LLAMA3, 1025, 4), 'contextTooLarge', /trained for 1024/);
  });

  test('cannot be divided by nothing', async () => {
    const gguf = await openGguf(LLAMA3);
    const { offsetBytes } = gguf.tensors.get('rope_freqs.weight') ?? assert.fail();
    await gguf.close();
    const bytes = fs.readFileSync(LLAMA3);
    bytes.writeFloatLE(0, offsetBytes + 8);
    const damaged = path.join(folder(), 'damaged.gguf');
    fs.writeFileSync(damaged, bytes);
    await rejectsWith(() => prepared(damaged, 64), 'modelCorrupt', /rope_freqs\.weight holds something else/);
  });
});

suite('the longest context of a model', () => {
  test('is the trained one, times what its publisher lets YaRN do', () => {
    assert.equal(longestContext({ trainedContextTokens: 100 }), 100);
    assert.equal(longestContext({ trainedContextTokens: 100, yarnFactor: 4 }), 400);
    checkContext(400, 'it', { trainedContextTokens: 100, yarnFactor: 4 });
  });
});
