"""Writes tiny random GGUF models of each family, and their logits by Hugging Face transformers in double
precision:

    python3 -m venv VENV && VENV/bin/pip install -r scripts/goldens/onnx/requirements.txt
    VENV/bin/python scripts/goldens/onnx/make_tiny_models.py test/fixtures/onnx

Each model `NAME.gguf` comes with `NAME.json`: {tokens, vocabSize, logits}, the logits of every position as
little-endian float32 in base64.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

from gguf_to_transformers import load
from tiny_model import TinyModel

VOCAB = 96
TOKENS = 40

# Matrices not named take the format of `rest`.
MODELS = {
    "qwen2-tied-f32": dict(arch="qwen2", hidden=64, heads=4, kv=2, ffn=96, layers=2, tied=True, formats=dict(rest=Type.F32)),
    "llama-untied-f16": dict(arch="llama", hidden=64, heads=4, kv=2, ffn=96, layers=2, tied=False, formats=dict(rest=Type.F16)),
    "qwen2-untied-q5-q8-q4_1": dict(
        arch="qwen2", hidden=64, heads=4, kv=1, ffn=96, layers=2, tied=False,
        formats={"token_embd": Type.Q5_0, "output": Type.Q8_0, "attn_v": Type.Q8_0, "ffn_down": Type.Q4_1, "rest": Type.Q5_0},
    ),
    "llama-tied-q4k-q6k": dict(
        arch="llama", hidden=256, heads=4, kv=2, ffn=256, layers=1, tied=True,
        formats={"attn_v": Type.Q6_K, "ffn_down": Type.Q6_K, "rest": Type.Q4_K},
    ),
}


def main(out_dir):
    out_dir.mkdir(parents=True, exist_ok=True)
    for name, shape in MODELS.items():
        path = out_dir / f"{name}.gguf"
        TinyModel(name, sorted(MODELS).index(name) + 1, VOCAB, **shape).write(path)
        model = load(path, torch.float64)
        tokens = np.random.default_rng(7).integers(0, VOCAB, TOKENS).tolist()
        with torch.no_grad():
            logits = model(torch.tensor([tokens])).logits[0].numpy().astype("<f4")
        golden = {"tokens": tokens, "vocabSize": VOCAB, "logits": base64.b64encode(logits.tobytes()).decode()}
        (out_dir / f"{name}.json").write_text(json.dumps(golden))
        print(f"{name}: {path.stat().st_size} bytes, logits from {logits.min():.2f} to {logits.max():.2f}")


main(pathlib.Path(sys.argv[1]))
