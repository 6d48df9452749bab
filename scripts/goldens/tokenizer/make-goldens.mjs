// Writes the token ids that llama.cpp's tokenizer gives for the texts of test/fixtures/tokenizer.
//   npm ci && npm start        (in this folder; the models must lie in Longview's cache: npx longview models)
// One file for each vocabulary: the two Qwen coder models share one, which is checked.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const here = path.dirname(fileURLToPath(import.meta.url));
const fixtures = path.resolve(here, '../../../test/fixtures/tokenizer');
const cache =
  process.env.LONGVIEW_CACHE_DIR ??
  path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'longview');

const VOCABULARIES = {
  smollm2: ['smollm2-135m-instruct-q4_1'],
  'qwen2.5-coder': ['qwen2.5-coder-0.5b-instruct-q4_k_m', 'qwen2.5-coder-1.5b-instruct-q4_k_m'],
};

const cases = JSON.parse(fs.readFileSync(path.join(fixtures, 'cases.json'), 'utf8'));

const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');
const idsHash = (ids) => sha256(Buffer.from(Int32Array.from(ids).buffer));

/** A text of `length` pieces of the alphabet. test/integration/tokenizer.test.ts makes the same one. */
function randomText({ alphabet, length, seed }) {
  let state = seed >>> 0;
  let text = '';
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += alphabet[(state >>> 8) % alphabet.length];
  }
  return text;
}

/** Each code point of the ranges in the template, a text for each block of them. */
function codePointTexts({ template, blockSize, ranges }) {
  const blocks = ranges.flatMap(([start, end]) =>
    Array.from({ length: (end - start) / blockSize }, (_, block) => start + block * blockSize),
  );
  return blocks.map((first) => {
    let text = '';
    for (let code = first; code < first + blockSize; code++) {
      text += template.replaceAll('{c}', () => String.fromCodePoint(code));
    }
    return [`U+${first.toString(16)}`, text];
  });
}

function goldensOf(encode) {
  const samples = fs.readdirSync(path.join(fixtures, 'samples')).sort();
  const sampleText = (name) => fs.readFileSync(path.join(fixtures, 'samples', name), 'utf8');
  const eachOf = (texts, specialTokens) =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, encode(text, specialTokens)]));
  return {
    madeWith: 'llama.cpp through node-llama-cpp 3.22.1',
    plain: eachOf(cases.plain, false),
    special: eachOf(cases.special, true),
    samples: Object.fromEntries(samples.map((name) => [name, encode(sampleText(name), false)])),
    long: Object.fromEntries(
      cases.long.map((spec) => {
        const text = randomText(spec);
        const ids = encode(text, false);
        return [spec.name, { textSha256: sha256(text), tokens: ids.length, idsSha256: idsHash(ids) }];
      }),
    ),
    codePoints: Object.fromEntries(
      codePointTexts(cases.codePoints).map(([name, text]) => [name, idsHash(encode(text, false)).slice(0, 16)]),
    ),
  };
}

/** One case a line: short enough to read, and a diff names the case. */
function format(goldens) {
  const section = ([name, value]) => {
    if (typeof value === 'string') return `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`;
    const lines = Object.entries(value).map(([k, v]) => `    ${JSON.stringify(k)}: ${JSON.stringify(v)}`);
    return `  ${JSON.stringify(name)}: {\n${lines.join(',\n')}\n  }`;
  };
  return `{\n${Object.entries(goldens).map(section).join(',\n')}\n}\n`;
}

const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  logLevel: LlamaLogLevel.error,
});
for (const [vocabulary, models] of Object.entries(VOCABULARIES)) {
  let first;
  for (const id of models) {
    const model = await llama.loadModel({
      modelPath: path.join(cache, 'models', id, 'model.gguf'),
      vocabOnly: true,
    });
    const goldens = goldensOf((text, specialTokens) => Array.from(model.tokenize(text, specialTokens)));
    await model.dispose();
    first ??= goldens;
    assert.deepEqual(goldens, first, `${id} has another vocabulary than ${models[0]}`);
  }
  const file = path.join(fixtures, `${vocabulary}.json`);
  fs.writeFileSync(file, format(first));
  console.log(`${path.relative(process.cwd(), file)}: ${fs.statSync(file).size} bytes`);
}
await llama.dispose();
