// Loaded into an engine host before anything else (NODE_OPTIONS=--require): stands in for longview-cuda.node, so that
// what follows a failure of a GPU can be tested where there is none. It computes nothing: an answer is the prompt again.
// The file LONGVIEW_GPU_FAILS names how its next call of a kind fails, as JSON:
//   { "call": "prefill", "code": "cudaFatal", "message": "...", "fittingTokens": 0 }, or { "call": "decode", "abort": "what it says" }
'use strict';
const fs = require('node:fs');

/** SmolLM2's own: an echo of one would end the answer. */
const SPECIAL_TOKENS = 17;
const STEP_MS = 5;

class Engine {
  heard = [];
  said = 0;
  sequences = 0;

  async load({ contextTokens }, onProgress) {
    failWhereTold('load');
    onProgress(1);
    return {
      weights: 'bf16',
      weightBytes: 1e9,
      kvBytes: 1e9,
      poolTokens: contextTokens,
      kvBlockTokens: 128,
      workspaceBytes: 1e9,
      fittingTokens: contextTokens,
      description: 'a stand-in',
    };
  }

  async openSequence() {
    return ++this.sequences;
  }

  async fork() {
    return ++this.sequences;
  }

  async prefill(_sequence, tokens, choose, onLayer) {
    failWhereTold('prefill');
    onLayer?.(3);
    this.heard = [...tokens].filter((token) => token >= SPECIAL_TOKENS);
    this.said = 0;
    return { ...(choose && { next: this.say() }), deviceMs: STEP_MS, attentionMs: 1 };
  }

  async decode() {
    failWhereTold('decode');
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    return { next: this.say(), deviceMs: STEP_MS };
  }

  say() {
    return this.heard[this.said++ % this.heard.length];
  }

  async rewind() {}
  async closeSequence() {}
  async dispose() {}
  cancel() {}
}

function failWhereTold(call) {
  const file = process.env.LONGVIEW_GPU_FAILS;
  if (!fs.existsSync(file)) return;
  const failure = JSON.parse(fs.readFileSync(file, 'utf8'));
  if (failure.call !== call) return;
  fs.rmSync(file);
  if (failure.abort !== undefined) {
    fs.writeSync(2, `${failure.abort}\n`);
    process.abort();
  }
  throw Object.assign(new Error(failure.message), failure);
}

const probe = () => ({
  driverVersion: '13.0',
  runtimeVersion: '13.0',
  devices: [{ index: 0, name: 'NVIDIA Stand-in', computeCapability: '9.0', totalBytes: 8e9 }],
});

const dlopen = process.dlopen.bind(process);
process.dlopen = (module, file, ...rest) => {
  if (String(file).endsWith('longview-cuda.node')) module.exports = { probe, Engine };
  else dlopen(module, file, ...rest);
};
