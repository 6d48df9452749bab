// Loaded into an engine host before anything else (NODE_OPTIONS=--require): stands in for longview-cuda.node, so that
// what follows a failure of a GPU can be tested where there is none. The KV of a token is the token, and an answer is made
// of tokens of the prompt, chosen by all that the sequence holds: one wrong token in it gives another answer.
// The file LONGVIEW_GPU_FAILS names how its next call of a kind fails, as JSON:
//   { "call": "prefill", "code": "cudaFatal", "message": "...", "fittingTokens": 0 }, or { "call": "decode", "abort": "what it says" }
'use strict';
const fs = require('node:fs');

/** SmolLM2's own: an echo of one would end the answer. */
const SPECIAL_TOKENS = 17;
const STEP_MS = 5;
/** Of every layer of a chunk. */
const LAYER_MS = Number(process.env.LONGVIEW_GPU_LAYER_MS ?? 0);

class Engine {
  /** Tokens by sequence. */
  kv = new Map();
  opened = 0;
  layers = 0;

  async load({ contextTokens, spec }, onProgress) {
    failWhereTold('load');
    this.layers = spec.layerCount;
    onProgress(1);
    this.kv.clear();
    return {
      weights: 'bf16',
      weightBytes: 1e9,
      kvBytes: 1e9,
      poolTokens: 4 * contextTokens,
      kvBlockTokens: 128,
      workspaceBytes: 1e9,
      fittingTokens: contextTokens,
      description: 'a stand-in',
    };
  }

  async openSequence() {
    return this.add([]);
  }

  async fork(sequence, lengthTokens) {
    return this.add(this.tokensOf(sequence).slice(0, lengthTokens));
  }

  async prefill(sequence, tokens, choose, onLayer) {
    failWhereTold('prefill');
    for (let begun = 1; begun <= this.layers; begun++) {
      onLayer?.(begun);
      if (LAYER_MS > 0) await new Promise((resolve) => setTimeout(resolve, LAYER_MS));
    }
    this.tokensOf(sequence).push(...tokens);
    return { ...(choose && { next: this.choose(sequence) }), deviceMs: STEP_MS, attentionMs: 1 };
  }

  async decode(sequence, token) {
    failWhereTold('decode');
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    this.tokensOf(sequence).push(token);
    return { next: this.choose(sequence), deviceMs: STEP_MS };
  }

  async rewind(sequence, lengthTokens) {
    this.tokensOf(sequence).length = lengthTokens;
  }

  async closeSequence(sequence) {
    this.kv.delete(sequence);
  }

  async exportKv(sequence, startToken, tokens) {
    const kept = Int32Array.from(this.tokensOf(sequence).slice(startToken, startToken + tokens));
    return new Uint8Array(kept.buffer);
  }

  async importKv(sequence, _tokens, kv) {
    // A copy: bytes of a file may start anywhere.
    this.tokensOf(sequence).push(...new Int32Array(Uint8Array.from(kv).buffer));
  }

  async dispose() {
    this.kv.clear();
  }

  cancel() {}

  add(tokens) {
    this.kv.set(++this.opened, tokens);
    return this.opened;
  }

  tokensOf(sequence) {
    const tokens = this.kv.get(sequence);
    if (!tokens) throw Object.assign(new Error(`sequence ${sequence} is not open`), { code: 'badArgument' });
    return tokens;
  }

  choose(sequence) {
    const tokens = this.tokensOf(sequence);
    const hash = tokens.reduce((sum, token) => (Math.imul(sum, 31) + token) | 0, 7);
    const choices = tokens.filter((token) => token >= SPECIAL_TOKENS);
    return choices[(hash >>> 0) % choices.length];
  }
}

function failWhereTold(call) {
  const file = process.env.LONGVIEW_GPU_FAILS;
  if (file === undefined || !fs.existsSync(file)) return;
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
