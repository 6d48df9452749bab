import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { type CudaAddon, loadAddon } from '../../../server/backends/cuda/addon';

const ADDON = path.join(process.cwd(), 'build/cuda/longview-cuda.node');

/** What the native module does without a GPU; with one, scripts/cuda/test-engine.mjs tests it. */
suite('CUDA addon', () => {
  let addon: CudaAddon;

  suiteSetup(function () {
    // Made by `npm run build:cuda`, which takes a compiler of 105 MB and minutes.
    if (!fs.existsSync(ADDON)) return this.skip();
    const loaded = loadAddon(ADDON);
    assert.ok('addon' in loaded, 'missing' in loaded ? loaded.missing : '');
    ({ addon } = loaded);
  });

  test('says what GPUs there are, or why there is none', () => {
    const { devices, failure, runtimeVersion } = addon.probe();
    assert.match(runtimeVersion, /^13\./);
    assert.ok(devices.length > 0 || (failure ?? '').length > 0, 'neither a GPU nor a reason');
  });

  test('refuses calls without a model, and frees nothing twice', async () => {
    const engine = new addon.Engine(0);
    await assert.rejects(engine.decode(1, 1, false), /no model is loaded/);
    await engine.dispose();
    await engine.dispose();
    assert.throws(() => new addon.Engine('0' as unknown as number), TypeError);
  });
});
