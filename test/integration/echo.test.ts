import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { plantRepository } from '../e2e/truth/planted-repository';
import { assertTrueAnswer, type CheckedAnswer } from '../e2e/truth/truth-check';
import { ensureModel } from './support/models';
import { builtFile } from './support/places';
import { tempRepository } from './support/server';

const MODEL = 'qwen2.5-coder-0.5b-instruct-q4_k_m';
/** As long as the answers of the end-to-end test. */
const ANSWER_TOKENS = 120;
/** Ids of Qwen from here on are special: an echo of one would end the answer. */
const FIRST_SPECIAL = 151_643;

/** An engine host that computes nothing: it says the prompt again, from token `from` on; a negative one counts from the end. */
const echoingHost = (from: number): string => `
  let heard = [];
  let next = 0;
  const say = () => ({ next: heard[next++ % heard.length], deviceMs: 1 });
  const calls = {
    deviceFor: () => 'cpu',
    load: ({ contextTokens }) => ({
      backend: 'onnx', device: 'an echo', sampleUnavailable: 'it echoes', contextTokens,
      vocabSize: 151936, maxSequences: 1, prefillChunkTokens: 256, backgroundChunkTokens: 256,
      kvPoolTokens: contextTokens, kvBlockTokens: 256, notices: [],
    }),
    openSequence: () => 1,
    prefillChunk: ({ tokens, sample }) => {
      heard.push(...[...tokens].filter((token) => token < ${FIRST_SPECIAL}));
      if (!sample) return { deviceMs: 1 };
      heard = heard.slice(${from});
      return say();
    },
    decodeStep: say,
    rewindSequence: () => undefined,
    closeSequence: () => undefined,
    countStoredKv: () => 0,
    storeKv: () => ({}),
  };
  process.on('disconnect', () => process.exit(0));
  process.on('message', ({ id, method, argument }) =>
    process.send({ kind: 'result', id, value: calls[method](argument) }));
  process.send({ kind: 'ready' });
`;

/** The whole product but for its engine: what the end-to-end test must not be content with. */
suite('the check of the end-to-end test, on an engine that is an echo', () => {
  let product: string;

  suiteSetup(async () => {
    await ensureModel(MODEL);
    product = await mkdtemp(path.join(tmpdir(), 'longview-echo-'));
    await mkdir(path.join(product, 'out'));
    for (const name of ['cli.js', 'server.js', 'context-worker.js'])
      await copyFile(builtFile(name), path.join(product, 'out', name));
    for (const name of ['package.json', 'node_modules', 'out/grammars'])
      await symlink(path.resolve(name), path.join(product, name));
  });
  suiteTeardown(() => rm(product, { recursive: true }));

  async function answerOfEcho(from: number, repo: string, question: string): Promise<CheckedAnswer> {
    await writeFile(path.join(product, 'out/engine-host.js'), echoingHost(from));
    const args = [
      '--json',
      '--model',
      MODEL,
      '--max-tokens',
      String(ANSWER_TOKENS),
      '--repo',
      repo,
      question,
    ];
    const { stdout } = await promisify(execFile)(process.execPath, [
      path.join(product, 'out/cli.js'),
      'ask',
      ...args,
    ]);
    return JSON.parse(stdout) as CheckedAnswer;
  }

  for (const [what, from, said] of [
    ['the prompt from its beginning', 0, /^system\n/],
    ['the end of the prompt', -ANSWER_TOKENS, /What is the value of [A-Z_]+, and in which file/],
    ['the question', -30, /What is the value of [A-Z_]+, and in which file/],
  ] as const)
    test(`rejects ${what}`, async () => {
      const planted = plantRepository();
      const repo = await tempRepository(planted.files);
      try {
        const answer = await answerOfEcho(from, repo.path, planted.question);
        assert.match(answer.answer, said, 'the echo came through');
        assert.throws(
          () => assertTrueAnswer(answer, planted),
          /the answer does not say|also says values of other files/,
        );
      } finally {
        await repo.dispose();
      }
    });
});
