// The CUDA engine on this machine's GPU, through the addon; run by scripts/cuda/test-engine.mjs, or bundled:
//   node engine-test.js ADDON FIXTURES [--model GGUF [--golden JSON]] [--host ENGINE_HOST --fault ADDON] [--only TEXT]
// --host: the compiled engine host, with the addon beside it and fault-preload.cjs beside this file.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadAddon } from '../../../server/backends/cuda/addon';
import { messageOf } from '../../../server/errors';
import { fp8Cases } from './fp8-cases';
import { hostCases } from './host-cases';
import { realCases } from './real-cases';
import { realSparseCases, sparseCases } from './sparse-cases';
import { tinyCases } from './tiny-cases';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      model: { type: 'string' },
      golden: { type: 'string' },
      host: { type: 'string' },
      fault: { type: 'string', default: '' },
      only: { type: 'string', default: '' },
    },
  });
  const [addonFile = '', fixtures = ''] = positionals.map((file) => path.resolve(file));
  const loaded = loadAddon(addonFile);
  if ('missing' in loaded) throw new Error(loaded.missing);
  const { devices, failure } = loaded.addon.probe();
  console.log(failure ?? devices.map(({ name, failure: reason }) => reason ?? name).join(', '));
  const cases = [
    ...tinyCases(loaded.addon, fixtures),
    ...sparseCases(loaded.addon, fixtures),
    ...fp8Cases(loaded.addon, fixtures),
    ...(values.host === undefined ? [] : hostCases(hostSetting(values.host, values.fault, fixtures))),
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

function hostSetting(host: string, fault: string, fixtures: string) {
  return {
    hostPath: path.resolve(host),
    faultAddonPath: path.resolve(fault),
    preloadPath: path.join(__dirname, 'fault-preload.cjs'),
    fixtures,
  };
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
