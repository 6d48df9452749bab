// The CUDA engine on this machine's GPU, through the addon; run by scripts/cuda/test-engine.mjs, or bundled:
//   node engine-test.js ADDON FIXTURES [--model GGUF [--golden JSON]] [--only TEXT]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadAddon } from '../../../server/backends/cuda/addon';
import { messageOf } from '../../../server/errors';
import { realCases } from './real-cases';
import { realSparseCases, sparseCases } from './sparse-cases';
import { tinyCases } from './tiny-cases';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { model: { type: 'string' }, golden: { type: 'string' }, only: { type: 'string', default: '' } },
  });
  const [addonFile = '', fixtures = ''] = positionals.map((file) => path.resolve(file));
  const loaded = loadAddon(addonFile);
  if ('missing' in loaded) throw new Error(loaded.missing);
  const { devices, failure } = loaded.addon.probe();
  console.log(failure ?? devices.map(({ name, failure: reason }) => reason ?? name).join(', '));
  const cases = [
    ...tinyCases(loaded.addon, fixtures),
    ...sparseCases(loaded.addon, fixtures),
    ...(values.model === undefined
      ? []
      : [
          ...realCases(loaded.addon, values.model, values.golden),
          ...realSparseCases(loaded.addon, values.model),
        ]),
  ].filter(([name]) => name.includes(values.only));
  let failed = 0;
  for (const [name, run] of cases) {
    const startMs = performance.now();
    const [word, told] = await run().then(
      (text) => ['ok', text],
      (error: unknown) => ['FAILED', messageOf(error)],
    );
    if (word !== 'ok') failed++;
    console.log(`${word} ${name} (${((performance.now() - startMs) / 1000).toFixed(2)} s): ${told}`);
  }
  console.log(`${cases.length - failed} passed, ${failed} failed`);
  return failed === 0 && cases.length > 0 ? 0 : 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
