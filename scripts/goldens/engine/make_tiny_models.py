"""Writes tiny random GGUF models with heads that the GPU's kernels have, and their logits by Hugging Face
transformers in double precision:

    python3 -m venv VENV && VENV/bin/pip install -r scripts/goldens/onnx/requirements.txt
    VENV/bin/python scripts/goldens/engine/make_tiny_models.py test/fixtures/engine

Each model `NAME.gguf` comes with `NAME.json`: {tokens, vocabSize, positions, logits, bf16RmsError}: the logits at
`positions` as little-endian float32 in base64, and how far those of transformers in bf16 lie from them.
`NAME.yarn.json` is the same with a context of four times the trained one, reached by YaRN.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "onnx"))
from gguf_to_transformers import load
from tiny_model import TinyModel

VOCAB = 96
CONTEXT = 1024
# Both sides of a block of the KV pool (640 tokens), and of a tile.
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 128, "rope_theta": 10000.0,
}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": CONTEXT}
YARN_MODEL = "qwen2-tied-mixed"
POSITIONS = [0, 1, 2, 63, 64, 159, 160, 638, 639, 640, 641, 719]

MODELS = {
    "llama-tied-q4k-q6k": dict(
        arch="llama", hidden=256, heads=4, kv=2, ffn=256, layers=1, tied=True,
        formats={"attn_v": Type.Q6_K, "ffn_down": Type.Q6_K, "rest": Type.Q4_K},
    ),
    # Gate and up differ in format: kept as stored, they cannot share a kernel.
    "qwen2-tied-mixed": dict(
        arch="qwen2", hidden=128, heads=2, kv=1, ffn=192, layers=2, tied=True,
        formats={"token_embd": Type.Q8_0, "attn_v": Type.Q8_0, "ffn_gate": Type.Q4_1, "ffn_down": Type.F16, "rest": Type.Q5_0},
    ),
    # The heads together are wider than the residual stream.
    "qwen3-untied-f16": dict(
        arch="qwen3", hidden=64, heads=4, kv=2, ffn=128, layers=2, tied=False, head_dim=128,
        formats={"output": Type.F32, "rest": Type.F16},
    ),
    "llama3-scaled-q8": dict(
        arch="llama", hidden=128, heads=2, kv=1, ffn=128, layers=1, tied=True, formats={"rest": Type.Q8_0}, llama3=LLAMA3
    ),
}


def logits_of(path, tokens, dtype, rope):
    with torch.no_grad():
        logits = load(path, dtype, rope)(torch.tensor([tokens])).logits[0]
    return logits.to(torch.float64).numpy()[POSITIONS]


def main(out_dir):
    out_dir.mkdir(parents=True, exist_ok=True)
    for seed, (name, shape) in enumerate(MODELS.items(), start=1):
        path = out_dir / f"{name}.gguf"
        TinyModel(name, seed, VOCAB, context=CONTEXT, **shape).write(path)
        tokens = np.random.default_rng(7).integers(0, VOCAB, max(POSITIONS) + 1).tolist()
        write_golden(path, path.with_suffix(".json"), tokens, shape.get("llama3"))
        if name == YARN_MODEL:
            write_golden(path, path.with_suffix(".yarn.json"), tokens, YARN)


def write_golden(path, golden_path, tokens, rope):
    exact = logits_of(path, tokens, torch.float64, rope)
    error = np.sqrt(np.mean((logits_of(path, tokens, torch.bfloat16, rope) - exact) ** 2))
    golden = {
        "tokens": tokens,
        "vocabSize": VOCAB,
        "positions": POSITIONS,
        "logits": base64.b64encode(exact.astype("<f4").tobytes()).decode(),
        "bf16RmsError": round(float(error), 6),
    }
    golden_path.write_text(json.dumps(golden))
    print(f"{golden_path.name}: logits up to {exact.max():.2f}, bf16 error {error:.4f}")


main(pathlib.Path(sys.argv[1]))
