// Prefills and decodes given tokens with llama.cpp on the CPU, and prints one JSON object.
//   node measure.mjs REQUEST.json     {modelPath, ids, sizes, decodeTokens, threads}
// → {peer, threads, results: [{prefillS, decodeS, tokens}]}, one for each size; decode is of `decodeTokens` tokens.
import fs from 'node:fs';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const { modelPath, ids, sizes, decodeTokens, threads } = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const { version } = JSON.parse(
  fs.readFileSync(new URL('../package.json', import.meta.resolve('node-llama-cpp')), 'utf8'),
);

const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  maxThreads: threads,
  logLevel: LlamaLogLevel.error,
});
if (llama.buildType !== 'prebuilt') throw new Error(`the binary is ${llama.buildType}, not prebuilt`);
const model = await llama.loadModel({ modelPath, gpuLayers: 0, ignoreMemorySafetyChecks: true });
const context = await model.createContext({
  contextSize: Math.max(...sizes) + decodeTokens + 64,
  batchSize: 512,
  sequences: 1,
  flashAttention: true,
  ignoreMemorySafetyChecks: true,
  threads: { ideal: threads, min: threads },
});
const sequence = context.getSequence();

/** Greedy, and the end of the answer does not stop it, so that every run decodes as many tokens. */
async function measure(prompt) {
  const start = performance.now();
  const answer = sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true });
  const tokens = [(await answer.next()).value];
  const prefilled = performance.now();
  while (tokens.length <= decodeTokens) tokens.push((await answer.next()).value);
  const end = performance.now();
  await answer.return();
  await sequence.clearHistory();
  return { prefillS: (prefilled - start) / 1000, decodeS: (end - prefilled) / 1000, tokens };
}

await measure(ids.slice(0, 64));
const results = [];
for (const size of sizes) results.push(await measure(ids.slice(0, size)));
const release = `llama.cpp ${llama.llamaCppRelease.release} (node-llama-cpp ${version}, prebuilt)`;
process.stdout.write(JSON.stringify({ peer: release, threads: context.currentThreads, results }));
await model.dispose();
await llama.dispose();
