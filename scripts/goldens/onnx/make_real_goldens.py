"""Greedy answers of real GGUF models by Hugging Face transformers in float32, as a compact golden:

    python3 -m venv VENV && VENV/bin/pip install -r scripts/goldens/onnx/requirements.txt
    VENV/bin/python scripts/goldens/onnx/make_real_goldens.py MODEL.gguf test/fixtures/onnx/NAME.json [--full] [--steps N]

{modelSha256, prompt, greedy, runnersUp, gaps, vocabSize, stride, sampled, full?}: `greedy` are the tokens chosen
after `prompt`; `gaps` how far the logit of each lies above that of its runner-up; `sampled` every `stride`-th logit
at each choice; `full` all logits of the first and the last choice. Logits are little-endian float16 in base64.
"""

import argparse
import base64
import hashlib
import json
import pathlib

import numpy as np
import torch
from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from gguf_to_transformers import load

DEFAULT_STEPS = 64
STRIDE = 192
CONTROL_TOKEN = 3

PROMPT = """<|im_start|>system
You answer questions about a repository.<|im_end|>
<|im_start|>user
// src/lru-cache.ts
export class LruCache<K, V> {
  private readonly entries = new Map<K, V>();

  constructor(private readonly capacity: number) {}

  get(key: K): V | undefined {
    const value = this.entries.get(key);
    if (value === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size <= this.capacity) return;
    const oldest = this.entries.keys().next();
    if (!oldest.done) this.entries.delete(oldest.value);
  }
}

What happens in set when the cache is full? Explain step by step.<|im_end|>
<|im_start|>assistant
"""


def tokenize(path, text):
    """Byte-level BPE from the file's own vocabulary; the exact split into words does not matter here."""
    fields = GGUFReader(path).fields
    vocabulary = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(vocabulary)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    kinds = fields["tokenizer.ggml.token_type"].contents()
    special = [AddedToken(t, special=True) for t, kind in zip(vocabulary, kinds) if kind == CONTROL_TOKEN]
    tokenizer.add_special_tokens(special)
    return tokenizer.encode(text).ids


def greedy(model, prompt, steps):
    """The chosen tokens and the logits of each choice."""
    chosen, rows, cache = [], [], None
    tokens = torch.tensor([prompt])
    with torch.no_grad():
        for _ in range(steps):
            result = model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = result.past_key_values
            rows.append(result.logits[0, -1].numpy())
            chosen.append(int(rows[-1].argmax()))
            tokens = torch.tensor([[chosen[-1]]])
    return chosen, np.stack(rows)


def halves(logits):
    return base64.b64encode(logits.astype("<f2").tobytes()).decode()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("model", type=pathlib.Path)
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--full", action="store_true")
    arguments.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    options = arguments.parse_args()
    prompt = tokenize(options.model, PROMPT)
    chosen, logits = greedy(load(options.model), prompt, options.steps)
    order = np.argsort(logits, axis=1)
    best, second = order[:, -1], order[:, -2]
    rows = np.arange(options.steps)
    golden = {
        "modelSha256": hashlib.sha256(options.model.read_bytes()).hexdigest(),
        "prompt": prompt,
        "greedy": chosen,
        "runnersUp": second.tolist(),
        "gaps": [round(float(gap), 5) for gap in logits[rows, best] - logits[rows, second]],
        "vocabSize": logits.shape[1],
        "stride": STRIDE,
        "sampled": halves(logits[:, ::STRIDE]),
    }
    if options.full:
        golden["full"] = halves(logits[[0, -1]])
    options.out.write_text(json.dumps(golden))
    print(f"{len(prompt)} prompt tokens; smallest gap {min(golden['gaps'])}; {options.out.stat().st_size} bytes")


main()
